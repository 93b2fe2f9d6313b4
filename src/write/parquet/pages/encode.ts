import { ServiceError } from '../../../core/errors.ts';
import type { FieldId } from '../../../core/ids.ts';
import type { EncodedChunk, EncodedRowGroup } from '../encoded-row-group.ts';
import type { RowGroupJob } from '../row-group-job.ts';
import type { ParquetWriterOptions } from '../writer-options.ts';
import { ByteSink } from './byte-sink.ts';
import { type Candidate, type ChoiceOptions, canPass, choosePlain, entriesMax, estimateSizes } from './choose.ts';
import { type ChunkInput, type ChunkOptions, type WrittenChunk, writeChunk } from './chunk.ts';
import { isPageCodec } from './compress.ts';
import { type Cut, cutPages } from './cuts.ts';
import { buildDictionary } from './dictionary.ts';
import { type Leaf, leavesOf } from './leaves.ts';
import { type PhysicalValues, physicalValues } from './physical.ts';

/** How much larger a row group may become for the sake of pages that need no decoding. */
const passGrowthMax = 0.1;

/** How much larger a dictionary must be for the next row groups not to try it. */
const surelyPlainRatio = 1.25;

interface Prepared {
  readonly leaf: Leaf;
  readonly values: PhysicalValues;
  readonly cuts: readonly Cut[];
}

/**
 * Encodes rows as one row group. Columns have no dictionaries and follow the stored fields. Pages hold `pageRows` rows, the same in
 * every column. Fixed-width columns without nulls are PLAIN, so that their pages go to clients as they are, as far as the row group
 * grows by at most {@link passGrowthMax}; every other column has a dictionary where that makes it smaller. The pages lie in `memory`
 * as far as it suffices.
 */
export function encodePages(job: RowGroupJob, memory: ArrayBufferLike): EncodedRowGroup {
  const { fields, columns, rows, options } = job;
  const { codec } = options;
  if (!isPageCodec(codec)) throw new ServiceError('INTERNAL', `pages cannot be compressed with ${codec}`);
  const prepared = leavesOf(fields, columns, rows).map((leaf): Prepared => {
    const values = physicalValues(leaf);
    return { leaf, values, cuts: cutPages(leaf, values, rows, options.pageRows, options.pageBytes) };
  });
  const chunkOptions: ChunkOptions = { ...options, codec };
  const choice: ChoiceOptions = { ...options, codec, entriesMax, bytesMax: options.dictionaryBytes };
  const sink = new ByteSink(memory);
  const chunks = new Array<WrittenChunk>(prepared.length);
  const candidates: (Candidate & { readonly at: number })[] = [];
  const plainLeaves = new Set<number>();
  let others = 0;
  for (const [at, one] of prepared.entries()) {
    const sizes = job.plainLeaves.has(at) ? null : estimateSizes(one.values, one.cuts, choice);
    if (sizes === null || sizes.dictionary > sizes.plain * surelyPlainRatio) plainLeaves.add(at);
    if (sizes !== null && canPass(one.leaf, one.values)) {
      candidates.push({ ...sizes, at, passedBytes: one.values.values.length });
      continue;
    }
    chunks[at] = writeChunk(
      sink,
      chunkInput(one, sizes !== null && sizes.dictionary <= sizes.plain, choice, options),
      chunkOptions,
    );
    others += chunks[at].end - chunks[at].start;
  }
  const plain = choosePlain(candidates, others, passGrowthMax);
  for (const [place, { at, plain: plainBytes, dictionary }] of candidates.entries()) {
    const isDictionary = !plain.has(place) && dictionary < plainBytes;
    chunks[at] = writeChunk(sink, chunkInput(prepared[at]!, isDictionary, choice, options), chunkOptions);
  }
  return { ...joinChunks(prepared, chunks, sink, rows), plainLeaves };
}

const chunkInput = (
  prepared: Prepared,
  wanted: boolean,
  options: ChoiceOptions,
  { blooms }: ParquetWriterOptions,
): ChunkInput => ({
  ...prepared,
  bloom: blooms.get(prepared.leaf.field.id) ?? null,
  dictionary: wanted ? buildDictionary(prepared.values, 0, prepared.values.count, options) : null,
});

/** Chunks lie in the order of their columns: readers that split files look for a row group where its first column is. */
function joinChunks(
  prepared: readonly Prepared[],
  written: readonly WrittenChunk[],
  sink: ByteSink,
  rows: number,
): Omit<EncodedRowGroup, 'plainLeaves'> {
  const chunks: EncodedChunk[] = [];
  const nans = new Map<FieldId, number>();
  let base = 0;
  let uncompressedBytes = 0;
  for (const [at, chunk] of written.entries()) {
    chunks.push(chunk.place(base));
    base += chunk.end - chunk.start;
    uncompressedBytes += chunk.uncompressedBytes;
    const { field, type } = prepared[at]!.leaf;
    if (type.kind === 'float' || type.kind === 'double') nans.set(field.id, chunk.nans);
  }
  return {
    rows,
    uncompressedBytes,
    pages: written.map(({ start, end }) => sink.view(start, end)),
    base: 0,
    chunks,
    nans,
  };
}
