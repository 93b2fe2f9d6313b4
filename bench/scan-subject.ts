import type { Bar } from './bars.ts';
import { type BenchRequest, namespace } from './contender.ts';
import { type OursKind, openContenders } from './contenders.ts';
import { type Codec, type Input, prepareInput } from './inputs.ts';
import type { VariantResult } from './interleave.ts';
import { measureStreams, type StreamVariant } from './measure.ts';
import type { StreamRival } from './rivals.ts';
import type { Size } from './size.ts';
import type { RunOptions, Subject, SubjectRun } from './subject.ts';

/** A scan that a subject measures. */
export interface ScanShape
  extends Partial<Pick<StreamVariant, 'divide' | 'oneConnection' | 'firstOnly' | 'warmScans'>> {
  /** Empty where a subject has but one. */
  readonly name: string;
  readonly ours: OursKind;
  readonly rivals: readonly StreamRival[];
  /** What is asked for, of a table of so many rows. */
  readonly request?: (rows: number) => Omit<BenchRequest, 'table'>;
  /** Instead of the size's. */
  readonly streams?: readonly number[];
  /** Instead of all that are asked for. */
  readonly codecs?: readonly Codec[];
  /** Whether what is read of the files is compared with the bytes of the columns asked for. */
  readonly leastRead?: boolean;
}

export interface ScanSubject {
  readonly name: string;
  readonly shows: string;
  readonly shapes: readonly ScanShape[];
  readonly sampledBy: StreamVariant['sampledBy'];
  readonly bars: readonly Bar[];
}

const warmTable = 'warm';

/** A subject that streams scans: every shape, codec and number of streams, against rivals over the same files. */
export function scanSubject(subject: ScanSubject): Subject {
  const { name, shows, bars } = subject;
  return {
    name,
    shows,
    bars,
    async run(options: RunOptions): Promise<SubjectRun> {
      const { size, codecs, profiles, wants, progress } = options;
      const inputs = await prepareInputs(size, codecs);
      await using contenders = openContenders(inputs, { profiles });
      const variants: VariantResult[] = [];
      for (const { shape, variant } of variantsOf(subject, inputs, options)) {
        const rivals = shape.rivals.filter(wants);
        if (rivals.length === 0 && shape.rivals.length > 0) continue;
        progress(`${name} ${variant.name}`);
        const theirs = [];
        for (const rival of rivals) theirs.push(await contenders.rival(rival));
        variants.push(await measureStreams(variant, await contenders.ours(shape.ours), theirs, size));
      }
      return { variants, inputs: hashesOf(inputs) };
    },
  };
}

/** The benchmark table in each codec, under the codec's name, and another one to be warmed on. */
export async function prepareInputs(
  { rows, warmRows }: Size,
  codecs: readonly Codec[],
): Promise<ReadonlyMap<string, Input>> {
  const inputs = new Map<string, Input>();
  for (const codec of codecs) inputs.set(codec, await prepareInput(rows, codec));
  inputs.set(warmTable, await prepareInput(warmRows, 'zstd'));
  return inputs;
}

export const hashesOf = (inputs: ReadonlyMap<string, Input>): Readonly<Record<string, string>> =>
  Object.fromEntries([...inputs].map(([table, { sha256 }]) => [table, sha256]));

function* variantsOf(
  { shapes, sampledBy }: ScanSubject,
  inputs: ReadonlyMap<string, Input>,
  { size, codecs }: RunOptions,
): Generator<{ readonly shape: ScanShape; readonly variant: StreamVariant }> {
  for (const shape of shapes) {
    const { request = () => ({}), divide, oneConnection, firstOnly, warmScans } = shape;
    for (const codec of codecs.filter((one) => shape.codecs?.includes(one) ?? true)) {
      for (const streams of size.streams.filter((count) => shape.streams?.includes(count) ?? true)) {
        const wanted: BenchRequest = { table: `${namespace}.${codec}`, ...request(size.rows) };
        const elsewhere = { table: `${namespace}.${warmTable}`, ...request(size.warmRows) };
        const { arrowBytes, columnBytes } = inputs.get(codec)!;
        const variant: StreamVariant = {
          name: variantName(shape.name, codec, streams),
          request: wanted,
          // Hot is a table that was read, whatever a filter keeps of it.
          warm: shape.ours.startsWith('hot') ? unfiltered(wanted) : elsewhere,
          streams,
          sampledBy,
          scannedBytes: arrowBytes,
          ...(shape.leastRead && { leastReadBytes: sum(wanted.columns?.map((name) => columnBytes[name]!)) }),
          ...(divide !== undefined && { divide }),
          ...(oneConnection !== undefined && { oneConnection }),
          ...(firstOnly !== undefined && { firstOnly }),
          ...(warmScans !== undefined && { warmScans }),
        };
        yield { shape, variant };
      }
    }
  }
}

const unfiltered = ({ filter: _, ...all }: BenchRequest): BenchRequest => all;

const sum = (values: readonly number[] = []): number => values.reduce((total, value) => total + value, 0);

export const variantName = (shape: string, codec: string, streams: number): string =>
  [shape, codec, `${streams} ${streams === 1 ? 'stream' : 'streams'}`].filter((part) => part !== '').join(', ');
