import { throwIfCancelled } from '../../core/cancellation.ts';
import { ServiceError } from '../../core/errors.ts';
import type { ByteRange } from '../../storage/object-store.ts';
import type { ParquetFile } from './footer.ts';

/** Of the wanted bytes, what the gaps between them that are read along may add up to: reading exactly costs requests, not bytes. */
const gapShareMax = 1 / 32;

export interface FetchedRanges {
  /** In the order asked; views. */
  readonly parts: readonly Uint8Array[];
  /** Bytes that the ranges and the gaps read along take, also where the whole file was read with its footer. */
  readonly bytesRead: number;
}

/**
 * Reads ranges of a file: near ones together, several reads at once. Throws LIMIT_EXCEEDED where they add up to more than
 * `rowGroupBytesMax`, CANCELLED, and what the store throws.
 */
export async function fetchRanges(
  file: Pick<ParquetFile, 'objects' | 'location' | 'identity' | 'limits' | 'whole'>,
  ranges: readonly ByteRange[],
  signal: AbortSignal,
): Promise<FetchedRanges> {
  throwIfCancelled(signal);
  const { whole, limits } = file;
  const merged = mergeRanges(ranges, whole === null ? limits.readGapBytesMax : 0);
  const bytesRead = merged.reduce((sum, range) => sum + range.end - range.start, 0);
  if (whole !== null) return { parts: ranges.map((range) => whole.subarray(range.start, range.end)), bytesRead };
  if (bytesRead > limits.rowGroupBytesMax) {
    throw new ServiceError(
      'LIMIT_EXCEEDED',
      `one Parquet row group's columns take ${bytesRead} bytes; at most ${limits.rowGroupBytesMax} are held: ask for fewer columns`,
    );
  }
  const bodies: Uint8Array[] = new Array(merged.length);
  let next = 0;
  const work = async (): Promise<void> => {
    for (let at = next++; at < merged.length; at = next++) {
      bodies[at] = await file.objects.read(file.location, merged[at]!, signal, file.identity);
    }
  };
  await Promise.all(Array.from({ length: Math.min(limits.readsAtOnceMax, merged.length) }, work));
  throwIfCancelled(signal);
  return { parts: ranges.map((range) => cut(range, merged, bodies)), bytesRead };
}

/**
 * Ranges in ascending order, empty ones left out. Those that touch are joined, and those with a gap of at most `gapMax` between
 * them, the smallest gaps first, as long as all gaps are but a small share of what is wanted.
 */
export function mergeRanges(ranges: readonly ByteRange[], gapMax: number): ByteRange[] {
  const sorted = ranges.filter((range) => range.end > range.start).sort((a, b) => a.start - b.start);
  const apart: { start: number; end: number }[] = [];
  for (const range of sorted) {
    const last = apart[apart.length - 1];
    if (last !== undefined && range.start <= last.end) last.end = Math.max(last.end, range.end);
    else apart.push({ ...range });
  }
  const joinsUpTo = largestJoinedGap(apart, gapMax);
  const merged: { start: number; end: number }[] = [];
  for (const range of apart) {
    const last = merged[merged.length - 1];
    if (last !== undefined && range.start - last.end <= joinsUpTo) last.end = range.end;
    else merged.push(range);
  }
  return merged;
}

/** The width up to which all gaps together stay within their share. */
function largestJoinedGap(apart: readonly ByteRange[], gapMax: number): number {
  const gaps = apart
    .slice(1)
    .map((range, at) => range.start - apart[at]!.end)
    .filter((gap) => gap <= gapMax)
    .sort((a, b) => a - b);
  let left = gapShareMax * apart.reduce((sum, range) => sum + range.end - range.start, 0);
  let joined = 0;
  for (let at = 0; at < gaps.length; ) {
    // Gaps of one width are joined or left together, so that the width alone decides.
    const width = gaps[at]!;
    const next = gaps.lastIndexOf(width) + 1;
    left -= width * (next - at);
    if (left < 0) break;
    joined = width;
    at = next;
  }
  return joined;
}

function cut(range: ByteRange, merged: readonly ByteRange[], bodies: readonly Uint8Array[]): Uint8Array {
  if (range.end <= range.start) return new Uint8Array(0);
  let low = 0;
  let high = merged.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (merged[middle]!.start <= range.start) low = middle;
    else high = middle - 1;
  }
  const { start } = merged[low]!;
  return bodies[low]!.subarray(range.start - start, range.end - start);
}
