import { against, memoryBar } from '../bars.ts';
import { type BenchRequest, namespace } from '../contender.ts';
import { openContenders } from '../contenders.ts';
import { type Input, prepareInput } from '../inputs.ts';
import type { VariantResult } from '../interleave.ts';
import { measureStreams } from '../measure.ts';
import { openDistantClient } from '../path.ts';
import { hashesOf, variantName } from '../scan-subject.ts';
import type { RunOptions, Subject, SubjectRun } from '../subject.ts';
import { writeByHeadrace } from '../written.ts';

const texts: ReadonlySet<string> = new Set(['country', 'email']);
const plain = ['pyarrow-dataset', 'tonic'] as const;
const compressing = ['pyarrow-dataset-zstd', 'tonic-zstd'] as const;
const rivals = [...plain, ...compressing] as const;

/** The columns of fixed width of a table that Headrace wrote, compressed on the wire; rivals read the same files. */
export const subject: Subject = {
  name: 'passthrough',
  shows: 'streaming the fixed-width columns of files that Headrace wrote, compressed on the wire',
  bars: [
    ...against(plain, 'cpu_s_per_gb', '<=', 0.15),
    ...against(rivals, 'total_cpu_s_per_gb', '<=', 0.8),
    { measure: 'wire_per_file_bytes', op: '<=', bar: 1.1 },
    memoryBar,
  ],
  async run({ size, profiles, wants, progress }: RunOptions): Promise<SubjectRun> {
    await using written = await writeByHeadrace(await prepareInput(size.rows, 'zstd'));
    const { input } = written;
    const inputs = new Map<string, Input>([
      ['written', input],
      ['warm', await prepareInput(size.warmRows, 'zstd')],
    ]);
    await using contenders = openContenders(inputs, { profiles });
    const columns = Object.keys(input.columnBytes).filter((name) => !texts.has(name));
    const request: BenchRequest = { table: `${namespace}.written`, columns, compression: 'zstd' };
    const warm: BenchRequest = { ...request, table: `${namespace}.warm` };
    const ours = await contenders.ours('cold');
    const theirs = await Promise.all(rivals.filter(wants).map((rival) => contenders.rival(rival)));
    const fileBytes = columns.reduce((sum, name) => sum + input.columnBytes[name]!, 0);
    const variants: VariantResult[] = [];
    for (const streams of size.streams) {
      const name = variantName('', 'zstd', streams);
      progress(`passthrough ${name}`);
      const terms = { divide: true, sampledBy: 'received', scannedBytes: input.arrowBytes } as const;
      const measured = await measureStreams({ name, request, warm, streams, ...terms }, ours, theirs, size);
      await using counted = await openDistantClient(ours.contender, request, 0);
      const before = await counted.receivedBytes();
      await counted.hash(request);
      const wireBytes = (await counted.receivedBytes()) - before;
      const figures = { wire_mb_per_scan: wireBytes / 1e6, wire_per_file_bytes: wireBytes / fileBytes };
      variants.push({ ...measured, ours: { ...measured.ours, ...figures } });
    }
    return { variants, inputs: hashesOf(inputs) };
  },
};
