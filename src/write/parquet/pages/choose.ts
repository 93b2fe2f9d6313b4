import { compressPage, type PageCodec } from './compress.ts';
import type { Cut } from './cuts.ts';
import { buildDictionary, type DictionaryBounds } from './dictionary.ts';
import { bitWidthOf, encodeHybrid, packedWidthMax } from './hybrid.ts';
import type { Leaf } from './leaves.ts';
import type { PhysicalValues } from './physical.ts';
import { encodePlain, encodePlainEntries } from './plain.ts';

/** What a leaf would take in either encoding, by one page of it. */
export interface EncodingSizes {
  readonly plain: number;
  readonly dictionary: number;
}

export interface ChoiceOptions extends DictionaryBounds {
  readonly codec: PageCodec;
  readonly level: number | null;
}

/** Values that are looked at to see whether a leaf repeats any. */
const probeValues = 1024;
/** Distinct values per value from which on a dictionary is not tried. */
const distinctShareMax = 0.5;

/** Whether PLAIN pages of the leaf can go to a client as they are: values without nulls, as wide as Arrow holds them. */
export const canPass = (leaf: Leaf, values: PhysicalValues): boolean =>
  values.kind === 'fixed' && leaf.definition === null && leaf.repetition === null && leaf.type.kind !== 'decimal';

/** The sizes that one page in the middle lets expect of the whole leaf; null where a dictionary is not worth trying. */
export function estimateSizes(
  values: PhysicalValues,
  cuts: readonly Cut[],
  options: ChoiceOptions,
): EncodingSizes | null {
  if (values.kind === 'bool' || values.count === 0) return null;
  const distinct = distinctEstimate(values);
  if (distinct > values.count * distinctShareMax || distinct > options.entriesMax) return null;
  const sample = cuts[cuts.length >> 1]!;
  const sampled = sample.endValue - sample.startValue;
  if (sampled === 0) return null;
  const dictionary = buildDictionary(values, sample.startValue, sample.endValue, options);
  if (dictionary === null) return null;
  const entries = Math.max(distinct, dictionary.entries.length);
  if ((dictionary.bytes * entries) / dictionary.entries.length > options.bytesMax) return null;
  const width = Math.max(1, bitWidthOf(entries - 1));
  const indices = compressed(encodeHybrid(dictionary.indices, 0, sampled, width), options);
  const entryBytes = compressed(encodePlainEntries(values, dictionary.entries), options) / dictionary.entries.length;
  const plain = compressed(encodePlain(values, sample.startValue, sample.endValue), options);
  const pages = values.count / sampled;
  return { plain: plain * pages, dictionary: indices * pages + entryBytes * entries };
}

const compressed = (bytes: Uint8Array, { codec, level }: ChoiceOptions): number =>
  Math.min(bytes.length, compressPage(codec, bytes, level).length);

/**
 * How many distinct values a leaf has, by how many of a few hundred of them are: of `n` values drawn from `d` equally frequent ones
 * about d × (1 - e^(-n/d)) are distinct.
 */
function distinctEstimate(values: PhysicalValues): number {
  const step = Math.max(1, Math.floor(values.count / probeValues));
  const chosen = Int32Array.from({ length: Math.floor(values.count / step) }, (_, at) => at * step);
  const plain = onlyChosen(values, chosen);
  const found = buildDictionary(plain, 0, plain.count, unboundedDictionary)!.entries.length;
  if (step === 1 || found === plain.count) return step === 1 ? found : values.count;
  let low = found;
  let high = values.count;
  while (high - low > Math.max(1, low / 16)) {
    const middle = (low + high) / 2;
    if (middle * (1 - Math.exp(-plain.count / middle)) < found) low = middle;
    else high = middle;
  }
  return Math.ceil(high);
}

const unboundedDictionary: DictionaryBounds = { entriesMax: probeValues * 2, bytesMax: Number.MAX_SAFE_INTEGER };

/** The chosen values alone. */
function onlyChosen(values: PhysicalValues, chosen: Int32Array): PhysicalValues {
  const count = chosen.length;
  if (values.kind === 'bytes') {
    const offsets = new Int32Array(count + 1);
    for (let at = 0; at < count; at++) {
      offsets[at + 1] =
        offsets[at]! + Math.min(probeBytesMax, values.offsets[chosen[at]! + 1]! - values.offsets[chosen[at]!]!);
    }
    const bytes = new Uint8Array(offsets[count]!);
    for (let at = 0; at < count; at++) {
      const start = values.offsets[chosen[at]!]!;
      bytes.set(values.values.subarray(start, start + offsets[at + 1]! - offsets[at]!), offsets[at]!);
    }
    return { kind: 'bytes', count, offsets, values: bytes };
  }
  return { ...values, count, values: encodePlainEntries(values, chosen) };
}

/** Of a long text the beginning tells it apart from most others. */
const probeBytesMax = 256;

/** A leaf whose pages would pass if they were PLAIN, and what that costs. */
export interface Candidate extends EncodingSizes {
  /** Bytes that would be passed on. */
  readonly passedBytes: number;
}

/**
 * Which candidates are PLAIN: those that pass the most bytes for each byte by which the file grows, while all of them together make it
 * no more than `growthMax` larger than the best encoding of each would be. `others` is what the rest of the file takes.
 */
export function choosePlain(candidates: readonly Candidate[], others: number, growthMax: number): ReadonlySet<number> {
  const best = candidates.reduce((sum, sizes) => sum + Math.min(sizes.plain, sizes.dictionary), others);
  const growthOf = ({ plain, dictionary }: Candidate): number => Math.max(0, plain - dictionary);
  const order = candidates
    .map((_, at) => at)
    .sort(
      (a, b) =>
        growthOf(candidates[a]!) / candidates[a]!.passedBytes - growthOf(candidates[b]!) / candidates[b]!.passedBytes,
    );
  const chosen = new Set<number>();
  let left = best * growthMax;
  for (const at of order) {
    const growth = growthOf(candidates[at]!);
    if (growth > left) continue;
    left -= growth;
    chosen.add(at);
  }
  return chosen;
}

/** Entries whose indices can be packed. */
export const entriesMax = 2 ** packedWidthMax - 1;
