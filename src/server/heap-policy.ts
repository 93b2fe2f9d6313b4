import { setFlagsFromString } from 'node:v8';

/** As V8 names it. */
export const bufferAccountingFlag = '--external-memory-accounted-in-global-limit';

/**
 * Lets V8 weigh the memory of ArrayBuffers together with the heap when it decides to collect garbage, in all threads. By default every
 * few dozen megabytes of new buffers start a collection of the whole heap, whatever is to be found: half of a server's CPU when it decodes
 * or receives. Measured with two workers: a cold scan 4.4 instead of 6.9 CPU-s per GB, a warm one 2.2 instead of 3.4, receiving an upload
 * 0.8 instead of 1.7; the peak of RSS 900 instead of 840 MB.
 */
export function accountBuffersWithHeap(): void {
  setFlagsFromString(bufferAccountingFlag);
}
