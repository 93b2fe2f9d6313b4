import { throwIfCancelled } from '../../core/cancellation.ts';
import { ServiceError } from '../../core/errors.ts';
import type { ByteRange } from '../../storage/object-store.ts';
import type { ParquetFile } from './footer.ts';

/** Bytes between two wanted ranges that are read along rather than asked around: about what a request costs in time. */
const gapBytesMax = 64 * 1024;
const readsAtOnceMax = 8;

export interface FetchedRanges {
  /** In the order asked; views. */
  readonly parts: readonly Uint8Array[];
  readonly bytesRead: number;
}

/**
 * Reads ranges of a file: near ones together, several reads at once. Throws LIMIT_EXCEEDED where they add up to more than
 * `rowGroupBytesMax`, CANCELLED, and what the store throws.
 */
export async function fetchRanges(
  file: ParquetFile,
  ranges: readonly ByteRange[],
  signal: AbortSignal,
): Promise<FetchedRanges> {
  throwIfCancelled(signal);
  const { whole } = file;
  if (whole !== null) return { parts: ranges.map((range) => whole.subarray(range.start, range.end)), bytesRead: 0 };
  const merged = mergeRanges(ranges, gapBytesMax);
  const bytesRead = merged.reduce((sum, range) => sum + range.end - range.start, 0);
  if (bytesRead > file.limits.rowGroupBytesMax) {
    throw new ServiceError(
      'LIMIT_EXCEEDED',
      `one Parquet row group's columns take ${bytesRead} bytes; at most ${file.limits.rowGroupBytesMax} are held: ask for fewer columns`,
    );
  }
  const bodies: Uint8Array[] = new Array(merged.length);
  let next = 0;
  const work = async (): Promise<void> => {
    for (let at = next++; at < merged.length; at = next++) {
      bodies[at] = await file.objects.read(file.location, merged[at]!, signal, file.identity);
    }
  };
  await Promise.all(Array.from({ length: Math.min(readsAtOnceMax, merged.length) }, work));
  throwIfCancelled(signal);
  return { parts: ranges.map((range) => cut(range, merged, bodies)), bytesRead };
}

/** Ranges in ascending order, those that touch or lie within `gapMax` of each other joined; empty ones left out. */
export function mergeRanges(ranges: readonly ByteRange[], gapMax: number): ByteRange[] {
  const sorted = ranges.filter((range) => range.end > range.start).sort((a, b) => a.start - b.start);
  const merged: { start: number; end: number }[] = [];
  for (const range of sorted) {
    const last = merged[merged.length - 1];
    if (last !== undefined && range.start - last.end <= gapMax) last.end = Math.max(last.end, range.end);
    else merged.push({ ...range });
  }
  return merged;
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
