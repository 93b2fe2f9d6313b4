/** The thread that knows what is cached: started by column-cache.ts. It hands out shared memory and never reads any. */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { collectGarbage } from '../../scan/cache/collect-garbage.ts';
import { Keeper } from '../../scan/cache/keeper.ts';
import type { CacheQuestion } from '../../scan/cache/messages.ts';
import { type CacheThreadStart, type NewReader, tallyPlaces } from './thread-protocol.ts';

const { bytesMax, entriesMax, leaseMs, tally: shared } = workerData as CacheThreadStart;
const tally = new Float64Array(shared);
const now = (): number => performance.now();

const keeper = new Keeper({
  bytesMax,
  entriesMax,
  leaseMs,
  now,
  collect: collectGarbage,
  count: (event, by) => {
    tally[tallyPlaces[event]]! += by;
  },
});

const note = (): void => {
  tally[tallyPlaces.bytes] = keeper.bytes;
  tally[tallyPlaces.entries] = keeper.entries;
};

parentPort!.on('message', ({ port }: NewReader) => serve(port));

function serve(port: MessagePort): void {
  const connection = keeper.connect((answer) => port.postMessage(answer));
  port.on('message', (question: CacheQuestion) => {
    connection.receive(question);
    note();
  });
  // Also where the other thread ends: what it was to decode goes to whoever waits for it.
  port.once('close', () => {
    connection.close();
    note();
  });
}
