import { type Client, openClient } from './client.ts';
import { type BenchRequest, namespace } from './contender.ts';
import { type Codec, type Input, prepareInput } from './inputs.ts';
import { measureVariant, type Variant, type VariantResult } from './measure.ts';
import { type RivalName, startRival } from './rivals.ts';
import { startHeadrace } from './server.ts';
import type { Size } from './size.ts';
import type { RunOptions, Subject, SubjectRun } from './subject.ts';

/** A scan that a subject measures, over a table of so many rows. */
export interface ScanShape {
  /** Empty where a subject has but one. */
  readonly name: string;
  request(rows: number): Omit<BenchRequest, 'table'>;
}

export interface ScanSubject {
  readonly name: string;
  readonly shows: string;
  readonly shapes: readonly ScanShape[];
  readonly sampledBy: Variant['sampledBy'];
  readonly rivals: readonly RivalName[];
}

const codecs: readonly Codec[] = ['zstd', 'snappy'];
const warmTable = 'warm';

/** A subject that streams scans, cold: every codec, shape and number of streams, against rivals over the same files. */
export function scanSubject({ name, shows, shapes, sampledBy, rivals }: ScanSubject): Subject {
  return {
    name,
    shows,
    async run({ size, profiles, progress }: RunOptions): Promise<SubjectRun> {
      const inputs = await prepareInputs(size);
      await using resources = new AsyncDisposableStack();
      const ours = resources.use(openClient(resources.use(await startHeadrace(inputs, { profiles }))));
      const others: Client[] = [];
      for (const rival of rivals)
        others.push(resources.use(openClient(resources.use(await startRival(rival, inputs)))));
      const variants: VariantResult[] = [];
      for (const variant of variantsOf(shapes, sampledBy, inputs, size)) {
        progress(`${name} ${variant.name}`);
        variants.push(await measureVariant(variant, ours, others, size));
      }
      return { variants, inputs: Object.fromEntries([...inputs].map(([table, { sha256 }]) => [table, sha256])) };
    },
  };
}

async function prepareInputs({ rows, warmRows }: Size): Promise<ReadonlyMap<string, Input>> {
  const inputs = new Map<string, Input>();
  for (const codec of codecs) inputs.set(codec, await prepareInput(rows, codec));
  inputs.set(warmTable, await prepareInput(warmRows, codecs[0]!));
  return inputs;
}

function* variantsOf(
  shapes: readonly ScanShape[],
  sampledBy: Variant['sampledBy'],
  inputs: ReadonlyMap<string, Input>,
  { streams, rows, warmRows }: Size,
): Generator<Variant> {
  for (const shape of shapes) {
    for (const codec of codecs) {
      for (const count of streams) {
        yield {
          name: [shape.name, codec, `${count} ${count === 1 ? 'stream' : 'streams'}`]
            .filter((part) => part !== '')
            .join(', '),
          request: { table: `${namespace}.${codec}`, ...shape.request(rows) },
          warm: { table: `${namespace}.${warmTable}`, ...shape.request(warmRows) },
          streams: count,
          sampledBy,
          scannedBytes: inputs.get(codec)!.arrowBytes,
        };
      }
    }
  }
}
