import { against, memoryBar } from '../bars.ts';
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

const together = { request: (rows: number) => ({ filter: clustered(rows) }) };
const apart = { request: () => ({ filter: scattered }) };
const rivals = ['pyarrow-dataset', 'tonic'] as const;
const hot = { ours: 'hot', rivals, streams: [1], codecs: ['zstd'] } as const;
const of = (start: string) => (variant: string) => variant.startsWith(start);
const dataset = ['pyarrow-dataset'];

/** All columns of 1 % of the rows. */
export const subject = scanSubject({
  name: 'selective',
  shows: 'streaming the 1 % of rows that a filter admits, lying together or scattered',
  shapes: [
    { name: 'random, cold', ours: 'cold', rivals, ...apart },
    { name: 'clustered, cold', ours: 'cold', rivals, ...together },
    { name: 'random, hot', ...hot, ...apart },
    { name: 'clustered, hot', ...hot, ...together },
  ],
  sampledBy: 'scanned',
  bars: [
    ...against(dataset, 'wall_s', '<=', 0.5, of('random, cold')),
    ...against(dataset, 'cpu_s_per_gb', '<=', 0.5, of('random, cold')),
    ...against(dataset, 'wall_s', '<=', 0.1, of('clustered, cold')),
    ...against(dataset, 'cpu_s_per_gb', '<=', 0.1, of('clustered, cold')),
    ...against(dataset, 'wall_s', '<=', 0.2, (variant) => variant.includes(', hot')),
    ...against(dataset, 'cpu_s_per_gb', '<=', 0.2, (variant) => variant.includes(', hot')),
    memoryBar,
  ],
});
