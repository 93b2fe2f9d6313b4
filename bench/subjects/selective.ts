import type { FilterNode } from '../contender.ts';
import { scanSubject } from '../scan-subject.ts';

const share = 0.01;
/** `user_id` is drawn evenly from 0 up to this. */
const users = 50_000;

/** Rows from the middle of `id`, which counts the rows: they lie together, so statistics tell where. */
function clustered(rows: number): FilterNode {
  const start = Math.floor(rows / 2);
  const end = start + Math.floor(rows * share);
  return {
    type: 'and',
    left: { type: 'gt-eq', term: 'id', value: start },
    right: { type: 'lt', term: 'id', value: end },
  };
}

/** Rows of some users, which lie everywhere. */
const scattered: FilterNode = { type: 'lt', term: 'user_id', value: users * share };

/** All columns of 1 % of the rows. */
export const subject = scanSubject({
  name: 'selective',
  shows: 'streaming the 1 % of rows that a filter admits, lying together or scattered',
  shapes: [
    { name: 'clustered', request: (rows) => ({ filter: clustered(rows) }) },
    { name: 'random', request: () => ({ filter: scattered }) },
  ],
  sampledBy: 'scanned',
  rivals: ['pyarrow-dataset'],
});
