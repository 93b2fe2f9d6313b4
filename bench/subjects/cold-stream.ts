import { scanSubject } from '../scan-subject.ts';

/** All rows and columns of a file that the server has not decoded before. */
export const subject = scanSubject({
  name: 'cold-stream',
  shows: 'streaming a whole table that nothing was cached of',
  shapes: [{ name: '', request: () => ({}) }],
  sampledBy: 'received',
  rivals: ['pyarrow-dataset'],
});
