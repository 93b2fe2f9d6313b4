import { scanSubject } from '../scan-subject.ts';

/** What a training script usually asks for: a key, a category, the label and a few features. */
const columns = ['user_id', 'country', 'label', 'f0', 'f1', 'c0'];

/** 6 of the table's 22 columns. */
export const subject = scanSubject({
  name: 'projection',
  shows: `streaming ${columns.length} of 22 columns`,
  shapes: [{ name: '', request: () => ({ columns }) }],
  sampledBy: 'received',
  rivals: ['pyarrow-dataset'],
});
