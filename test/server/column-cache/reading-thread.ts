/** A thread that streams scans by its own way to the cache, several at a time, and tells their digests. */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { connectColumnCache } from '../../../src/scan/cache/cache.ts';
import { portLink } from '../../../src/scan/cache/port-link.ts';
import { digestOf, type Scan } from './wide-file.ts';

export interface ReadingStart {
  readonly cache: MessagePort;
  readonly path: string;
  readonly scans: readonly Scan[];
  readonly atOnce: number;
}

const { cache: port, path, scans, atOnce } = workerData as ReadingStart;
const cache = connectColumnCache(portLink(port));
const digests: string[] = new Array(scans.length);
let next = 0;
const work = async (): Promise<void> => {
  for (let at = next++; at < scans.length; at = next++) digests[at] = await digestOf(path, scans[at]!, cache);
};
await Promise.all(Array.from({ length: atOnce }, work));
cache.close();
parentPort!.postMessage(digests);
