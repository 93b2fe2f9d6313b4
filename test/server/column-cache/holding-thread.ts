/** A thread that leases a column, says so, and never decodes it. */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { connectColumnCache } from '../../../src/scan/cache/cache.ts';
import type { WantedColumn } from '../../../src/scan/cache/messages.ts';
import { portLink } from '../../../src/scan/cache/port-link.ts';

const { port, column } = workerData as { readonly port: MessagePort; readonly column: WantedColumn };
const opening = await connectColumnCache(portLink(port)).open([column], new AbortController().signal);
await opening.prepare(0, 1);
parentPort!.postMessage(opening.isLeased(0, 0));
setInterval(() => {}, 1_000);
