import { against, memoryBar } from '../bars.ts';
import { scanSubject } from '../scan-subject.ts';

const first = 'first batch';
const whole = (variant: string): boolean => !variant.startsWith(first);

/** All rows and columns of a file that the server has not decoded before, and how long its first batch takes. */
export const subject = scanSubject({
  name: 'cold-stream',
  shows: 'streaming a whole table that nothing was cached of',
  shapes: [
    { name: '', ours: 'cold', rivals: ['pyarrow-dataset', 'tonic'], divide: true },
    { name: first, ours: 'cold', rivals: ['pyarrow-dataset', 'tonic'], firstOnly: true, streams: [1] },
  ],
  sampledBy: 'received',
  bars: [
    ...against(['pyarrow-dataset'], 'mb_per_s', '>=', 1.2, whole),
    ...against(['pyarrow-dataset'], 'cpu_s_per_gb', '<=', 0.8, whole),
    ...against(['tonic'], 'mb_per_s', '>=', 1, whole),
    ...against(['tonic'], 'cpu_s_per_gb', '<=', 1, whole),
    ...against(['pyarrow-dataset'], 'p50_ms', '<=', 0.3, (variant) => variant.startsWith(first)),
    memoryBar,
  ],
});
