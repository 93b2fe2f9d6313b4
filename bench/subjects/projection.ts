import { against, memoryBar } from '../bars.ts';
import { scanSubject } from '../scan-subject.ts';

/** What a training script usually asks for: a key, a category, the label and a few features. */
export const projected = ['user_id', 'country', 'label', 'f0', 'f1', 'c0'];

/** 6 of the table's 22 columns. */
export const subject = scanSubject({
  name: 'projection',
  shows: `streaming ${projected.length} of 22 columns`,
  shapes: [
    {
      name: '',
      ours: 'cold',
      rivals: ['pyarrow-dataset', 'tonic'],
      request: () => ({ columns: projected }),
      divide: true,
      leastRead: true,
    },
  ],
  sampledBy: 'received',
  bars: [
    ...against(['pyarrow-dataset'], 'mb_per_s', '>=', 1.2),
    { measure: 'read_per_minimum', op: '<=', bar: 1.05 },
    memoryBar,
  ],
});
