import { against } from '../bars.ts';
import { type Contender, namespace } from '../contender.ts';
import { openContenders } from '../contenders.ts';
import type { Sample } from '../figures.ts';
import { type Input, prepareArrowFile } from '../inputs.ts';
import { interleave, type Runner, type VariantResult } from '../interleave.ts';
import { measureStreams, sampleOf } from '../measure.ts';
import { type DistantClient, openDistantClient } from '../path.ts';
import { startPutRival } from '../put-rival.ts';
import { hashesOf, prepareInputs, variantName } from '../scan-subject.ts';
import type { Size } from '../size.ts';
import type { RunOptions, Subject, SubjectRun } from '../subject.ts';

const roundTripMs = 20;
const codec = 'zstd';
const request = { table: `${namespace}.${codec}` };

/** Reading and writing over a path of 20 ms round trip and unlimited bandwidth. */
export const subject: Subject = {
  name: 'wan',
  shows: `reading a hot table and appending it over a path with a round trip of ${roundTripMs} ms`,
  bars: [...against(['pyarrow-memory'], 'mb_per_s', '>=', 0.8), ...against(['pyarrow-put'], 'mb_per_s', '>=', 0.8)],
  async run({ size, profiles, wants, progress }: RunOptions): Promise<SubjectRun> {
    const inputs = await prepareInputs(size, [codec]);
    await using resources = new AsyncDisposableStack();
    const contenders = resources.use(openContenders(inputs, { profiles }));
    const ours = await contenders.headrace('hot');
    const distant = async (contender: Contender): Promise<DistantClient> =>
      resources.use(await openDistantClient(contender, request, roundTripMs));
    const variants: VariantResult[] = [];
    const near = await distant(ours);
    if (wants('pyarrow-memory')) {
      const rival = await distant((await contenders.rival('pyarrow-memory')).contender);
      for (const streams of size.streams) {
        const name = variantName('get', codec, streams);
        progress(`wan ${name}`);
        const { arrowBytes } = inputs.get(codec)!;
        const terms = { streams, divide: true, sampledBy: 'received', scannedBytes: arrowBytes, warmScans: 1 } as const;
        variants.push(await measureStreams({ name, request, warm: request, ...terms }, near, [rival], size));
      }
    }
    if (wants('pyarrow-put')) {
      const input = inputs.get(codec)!;
      const data = await prepareArrowFile(input);
      const rival = resources.use(await startPutRival());
      progress('wan put');
      const runner = await putRunner(near, data, input, size);
      variants.push(
        await interleave(
          { name: 'put', rows: input.rows, resultHash: null },
          runner,
          [await putRunner(await distant(rival), data, input, size)],
          size.pairs,
        ),
      );
    }
    return { variants, inputs: hashesOf(inputs) };
  },
};

/** Creates a table with the first put, and appends to it in each sample. */
async function putRunner(client: DistantClient, data: string, { arrowBytes }: Input, size: Size): Promise<Runner> {
  const table = `${namespace}.put`;
  await client.put({ data, put: { table, mode: 'create' }, times: 1 });
  const times = Math.max(1, Math.ceil(size.sampleBytes / arrowBytes));
  return {
    name: client.name,
    async sample(): Promise<Sample> {
      const measured = await client.put({ data, put: { table, mode: 'append' }, times });
      return sampleOf(measured, { streams: 1, bytes: measured.bytes, calls: times });
    },
  };
}
