/** The thread that encodes row groups, one after another, for `encode-pool.ts`. */
import { parentPort } from 'node:worker_threads';
import { encodeRowGroup } from '../row-group.ts';
import { type EncodeCall, type EncodeReply, failureOf } from './messages.ts';

const port = parentPort!;

port.on('message', ({ id, job, output }: EncodeCall) => {
  try {
    port.postMessage({ id, kind: 'done', group: encodeRowGroup(job, output) } satisfies EncodeReply);
  } catch (error) {
    port.postMessage({ id, kind: 'failed', ...failureOf(error) } satisfies EncodeReply);
  }
});
