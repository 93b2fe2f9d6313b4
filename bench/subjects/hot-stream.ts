import { against, memoryBar } from '../bars.ts';
import { scanSubject } from '../scan-subject.ts';

const [one, tls] = ['one connection', 'TLS'];
const plain = (variant: string): boolean => !variant.startsWith(one) && !variant.startsWith(tls);

/** All rows and columns of a snapshot that was read before, from the server's cache. */
export const subject = scanSubject({
  name: 'hot-stream',
  shows: 'streaming a whole table that was read once before',
  shapes: [
    { name: '', ours: 'hot', rivals: ['pyarrow-memory', 'tonic-memory'], divide: true },
    {
      name: one,
      ours: 'hot',
      rivals: ['pyarrow-memory'],
      divide: true,
      oneConnection: true,
      streams: [4],
      codecs: ['zstd'],
    },
    { name: tls, ours: 'hot-tls', rivals: ['pyarrow-memory-tls'], divide: true, codecs: ['zstd'] },
  ],
  sampledBy: 'received',
  bars: [
    ...against(['pyarrow-memory'], 'mb_per_s', '>=', 1, plain),
    ...against(['pyarrow-memory'], 'cpu_s_per_gb', '<=', 0.8, plain),
    ...against(['pyarrow-memory'], 'mb_per_s', '>=', 0.9, (variant) => variant.startsWith(one)),
    ...against(['pyarrow-memory-tls'], 'cpu_s_per_gb', '<=', 0.9),
    memoryBar,
  ],
});
