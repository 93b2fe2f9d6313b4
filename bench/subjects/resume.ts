import { type BenchRequest, namespace } from '../contender.ts';
import { openContenders } from '../contenders.ts';
import { prepareManyFiles } from '../inputs.ts';
import { interleave, type Runner } from '../interleave.ts';
import { type StreamVariant, sampleOf, streamRunner } from '../measure.ts';
import { hashesOf } from '../scan-subject.ts';
import type { RunOptions, Subject, SubjectRun } from '../subject.ts';

const files = 100;
const table = `${namespace}.files`;
/** Half of the rows of every file. */
const filter = { type: 'lt', term: 'user_id', value: 25_000 } as const;

/** A scan that breaks off in its middle and goes on from its cursor. */
export const subject: Subject = {
  name: 'resume',
  shows: `going on in the middle of a filtered scan of ${files} files of one row group each`,
  bars: [{ measure: 'row_groups_read_again', op: '<=', bar: 1 }],
  async run({ size, profiles, progress }: RunOptions): Promise<SubjectRun> {
    const input = await prepareManyFiles(size.rows, files);
    // Small enough for the scan to break off within a file.
    const request: BenchRequest = { table, filter, batch_rows: Math.ceil(size.rows / files / 8) };
    const inputs = new Map([['files', input]]);
    await using contenders = openContenders(inputs, { profiles });
    const ours = await contenders.ours('cold');
    const content = await ours.hash(request);
    const variant: StreamVariant = {
      ...{ name: 'cursor', request, warm: request, warmScans: 1, streams: 1, sampledBy: 'scanned' },
      scannedBytes: size.sampleBytes,
    };
    progress('resume cursor');
    const whole = streamRunner(variant, ours, content, size);
    const bytesInFiles = Object.values(input.columnBytes).reduce((sum, bytes) => sum + bytes, 0);
    // In the middle of the file in the middle.
    const until = Math.round(content.rows / 2 + content.rows / files / 2);
    const resumed: Runner = {
      name: 'headrace',
      async sample() {
        const { rowsAfter, after } = await ours.resume(request, content.rows, until);
        const sample = sampleOf(after, { streams: 1, bytes: after.bytes, calls: 1 });
        if (after.readBytes === null) return sample;
        // Rows lie evenly over the files, so that the rest of the rows is the rest of the bytes.
        const rest = (bytesInFiles * rowsAfter) / content.rows;
        const again = (after.readBytes - rest) / (bytesInFiles / files);
        return { ...sample, figures: { ...sample.figures, row_groups_read_again: again } };
      },
    };
    const about = { name: 'cursor', rows: content.rows, resultHash: content.hash };
    const measured = await interleave(about, resumed, [{ ...whole, name: 'alone' }], size.pairs);
    return { variants: [measured], inputs: hashesOf(inputs) };
  },
};
