import type { Leaf } from './leaves.ts';
import type { PhysicalValues } from './physical.ts';

/** A data page: rows [startRow, endRow) of the row group, its slots and its values. */
export interface Cut {
  readonly startRow: number;
  readonly endRow: number;
  readonly startSlot: number;
  readonly endSlot: number;
  readonly startValue: number;
  readonly endValue: number;
}

/**
 * Cuts a leaf into pages of `pageRows` rows. Where values vary in length, as texts and lists do, a page above `pageBytes` is cut
 * further at equal distances, so that every leaf has the common cuts and some have more.
 */
export function cutPages(leaf: Leaf, values: PhysicalValues, rows: number, pageRows: number, pageBytes: number): Cut[] {
  const coarse = cutAt(leaf, evenly(0, rows, pageRows));
  if (values.kind !== 'bytes' && leaf.repetition === null) return coarse;
  const starts = coarse.flatMap((cut) => {
    const parts = Math.ceil(bytesOfCut(cut, values) / pageBytes);
    const each = Math.max(1, Math.ceil((cut.endRow - cut.startRow) / Math.max(1, parts)));
    return evenly(cut.startRow, cut.endRow, each).slice(0, -1);
  });
  return starts.length === coarse.length ? coarse : cutAt(leaf, [...starts, rows]);
}

function evenly(start: number, end: number, each: number): number[] {
  const bounds: number[] = [];
  for (let at = start; at < end; at += each) bounds.push(at);
  return [...bounds, end];
}

function bytesOfCut({ startValue, endValue, startSlot, endSlot }: Cut, values: PhysicalValues): number {
  const count = endValue - startValue;
  const levels = (endSlot - startSlot) >> 3;
  if (values.kind === 'bytes') return levels + values.offsets[endValue]! - values.offsets[startValue]! + 4 * count;
  return levels + count * (values.kind === 'bool' ? 1 / 8 : values.width);
}

/** The pages between ascending row numbers, of which the first is 0 and the last the number of rows. */
function cutAt(leaf: Leaf, bounds: readonly number[]): Cut[] {
  const slots = slotsAt(leaf, bounds);
  const values = valuesAt(leaf, slots);
  return bounds.slice(0, -1).map((startRow, at) => ({
    startRow,
    endRow: bounds[at + 1]!,
    startSlot: slots[at]!,
    endSlot: slots[at + 1]!,
    startValue: values[at]!,
    endValue: values[at + 1]!,
  }));
}

function slotsAt({ repetition, slots }: Leaf, bounds: readonly number[]): readonly number[] {
  if (repetition === null) return bounds;
  const found: number[] = [];
  let row = -1;
  let next = 0;
  for (let slot = 0; slot < slots; slot++) {
    if (repetition[slot] !== 0) continue;
    row++;
    if (row === bounds[next]) {
      found.push(slot);
      next++;
    }
  }
  while (found.length < bounds.length) found.push(slots);
  return found;
}

function valuesAt({ definition, definitionMax }: Leaf, slots: readonly number[]): readonly number[] {
  if (definition === null) return slots;
  const found: number[] = [];
  let values = 0;
  let slot = 0;
  for (const bound of slots) {
    for (; slot < bound; slot++) if (definition[slot] === definitionMax) values++;
    found.push(values);
  }
  return found;
}
