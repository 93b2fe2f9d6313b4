import type { Column } from '../../arrow/column.ts';
import { checkOffset } from '../../arrow/kernels/byte-budget.ts';
import { copyRun, copySlackBytes, wordBytes } from '../../arrow/kernels/copy-bytes.ts';
import type { DataPage } from '../pages.ts';
import type { RowRange } from '../row-set.ts';
import { DictionaryByteValues, PlainByteValues } from './byte-values.ts';
import type { ChunkPages, OpenPage } from './chunk-pages.ts';
import { checkUnfolded } from './damaged.ts';
import { spreadFixed, spreadOffsets, spreadSingles } from './spread.ts';
import type { WindowType } from './window.ts';

/** Where the values of single rows go: to the front of a buffer, page by page, nulls left out. */
export interface Sink {
  pick(page: OpenPage, skips: Int32Array, count: number, at: number): void;
  finish(base: TakenRows, valid: number): Column;
}

export interface TakenRows {
  readonly length: number;
  readonly nullCount: number;
  readonly validity: Uint8Array | null;
}

const plainEncoding = 0;
const dictionaryEncodings: readonly number[] = [2, 8];

/** Null where single values cannot be told: of booleans, and of byte arrays in delta encodings. */
export function sinkOf({ data, window }: ChunkPages, rows: Int32Array, held: RowRange): Sink | null {
  const { kind } = window.type;
  if (kind === 'bool') return null;
  if (kind !== 'binary') return fixedSink(window, rows.length);
  const used = encodingsOf(data, rows, held);
  if (used.every((encoding) => dictionaryEncodings.includes(encoding))) return indexSink(window, rows.length);
  const isLocated = used.every((encoding) => encoding === plainEncoding || dictionaryEncodings.includes(encoding));
  return isLocated ? byteSink(window, rows.length) : null;
}

/** The encodings of the pages from the first row's to the last row's. */
function encodingsOf(data: readonly DataPage[], rows: Int32Array, held: RowRange): number[] {
  const used = new Set<number>();
  let start = held.start;
  for (const { values, encoding } of data) {
    if (rows[0]! < start + values && rows[rows.length - 1]! >= start) used.add(encoding);
    start += values;
  }
  return [...used];
}

function fixedSink({ type, width, bytesMax }: WindowType, rows: number): Sink {
  checkUnfolded(rows * width, bytesMax);
  const out = new Uint8Array(rows * width);
  return {
    pick({ values }, skips, count, at) {
      if (values.kind === 'fixed') values.values.pick(skips, count, out, at);
    },
    finish(base, valid) {
      if (base.validity !== null) spreadFixed(out, width, base.validity, valid, base.length);
      return { ...base, kind: 'fixed', type, width, values: out };
    },
  };
}

function indexSink({ type, dictionary, bytesMax }: WindowType, rows: number): Sink {
  checkUnfolded(rows * 4, bytesMax);
  const indices = new Int32Array(rows);
  return {
    pick({ values }, skips, count, at) {
      if (values.values instanceof DictionaryByteValues) values.values.pick(skips, count, indices.subarray(at));
    },
    finish(base, valid) {
      if (base.validity !== null) spreadSingles(indices, base.validity, valid, base.length);
      return { ...base, kind: 'dictionary', type, indices, dictionary: dictionary() };
    },
  };
}

function byteSink({ type, bytesMax }: WindowType, rows: number): Sink {
  checkUnfolded(rows * 4, bytesMax);
  const offsets = new Int32Array(rows + 1);
  let out = wordBytes(new Uint8Array(copySlackBytes));
  let starts = new Int32Array(0);
  let ends = new Int32Array(0);
  return {
    pick({ values: { values } }, skips, count, at) {
      if (!(values instanceof PlainByteValues || values instanceof DictionaryByteValues)) return;
      if (starts.length < count) [starts, ends] = [new Int32Array(count), new Int32Array(count)];
      const from = values.locate(skips, count, starts, ends);
      let total = offsets[at]!;
      for (let value = 0; value < count; value++) {
        total += ends[value]! - starts[value]!;
        offsets[at + value + 1] = total;
      }
      checkOffset(total);
      checkUnfolded(total, bytesMax);
      if (total + copySlackBytes > out.bytes.length) {
        const grown = new Uint8Array(2 * total + copySlackBytes);
        grown.set(out.bytes.subarray(0, offsets[at]!));
        out = wordBytes(grown);
      }
      for (let value = 0; value < count; value++)
        copyRun(out, offsets[at + value]!, from, starts[value]!, ends[value]!);
    },
    finish(base, valid) {
      const values = out.bytes.subarray(0, offsets[valid]!);
      if (base.validity !== null) spreadOffsets(offsets, base.validity, valid, base.length);
      return { ...base, kind: 'bytes', type, offsets, values };
    },
  };
}
