/** The thread that encodes row groups, one after another, for `encode-pool.ts`. */
import { parentPort } from 'node:worker_threads';
import { encodeRowGroup } from '../row-group.ts';
import { type EncodeCall, type EncodeReply, failureOf } from './messages.ts';

const port = parentPort!;

port.on('message', ({ id, job, memory, output }: EncodeCall) => {
  try {
    const group = encodeRowGroup(job, output);
    const buffers = new Set(group.pages.map(({ buffer }) => buffer).filter((buffer) => buffer instanceof ArrayBuffer));
    port.postMessage({ id, kind: 'done', group, memory } satisfies EncodeReply, [...buffers, memory]);
  } catch (error) {
    port.postMessage({ id, kind: 'failed', ...failureOf(error), memory } satisfies EncodeReply, [memory]);
  }
});
