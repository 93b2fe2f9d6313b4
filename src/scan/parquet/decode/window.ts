import type { ArrowType, Column, DictionaryColumn } from '../../arrow/column.ts';
import { bitmapBytes } from '../../arrow/kernels/bitmap.ts';
import { copySlackBytes, wordBytes } from '../../arrow/kernels/copy-bytes.ts';
import { type ByteValues, DictionaryByteValues } from './byte-values.ts';
import { checkUnfolded } from './damaged.ts';
import type { PageValues } from './page-values.ts';
import { spreadBits, spreadFixed, spreadOffsets, spreadSingles } from './spread.ts';

/** Some of the values of one page: as many as it holds of a window, nulls left out. */
export interface WindowPart {
  readonly page: PageValues;
  readonly count: number;
}

/** Which of a window's rows hold a value; the rows of a nested leaf are the places in its innermost list. */
export interface WindowRows {
  readonly rows: number;
  readonly valid: number;
  /** Null where all are valid. */
  readonly validity: Uint8Array | null;
}

export interface WindowType {
  readonly type: ArrowType;
  /** Bytes of a fixed-width value. */
  readonly width: number;
  /** The dictionary as a column, which all windows of a chunk share. */
  readonly dictionary: () => Column;
  /** Bytes that the window's values may take. */
  readonly bytesMax: number;
}

/**
 * Reads a window's values, of one page or several, into buffers of its own, or gives a view where a page already is what a column
 * needs. Byte arrays stay indices where all of the window's pages have them. Throws CORRUPT_FILE, LIMIT_EXCEEDED.
 */
export function readWindow(parts: readonly WindowPart[], place: WindowRows, options: WindowType): Column {
  const { rows, valid, validity } = place;
  const base = { type: options.type, length: rows, nullCount: rows - valid, validity };
  if (options.type.kind === 'bool') {
    checkUnfolded(rows / 8, options.bytesMax);
    return { ...base, kind: 'bool', values: readBits(parts, place) };
  }
  if (options.type.kind !== 'binary') {
    const { width } = options;
    checkUnfolded(rows * width, options.bytesMax);
    return { ...base, kind: 'fixed', width, values: readFixed(parts, place, width) };
  }
  checkUnfolded(rows * 4, options.bytesMax);
  const used = parts.filter((part) => part.count > 0);
  if (used.length > 0 && used.every((part) => part.page.values instanceof DictionaryByteValues)) {
    return readIndices(used, place, options);
  }
  return { ...base, kind: 'bytes', ...readBytes(used, place, options.bytesMax) };
}

function readFixed(parts: readonly WindowPart[], { rows, valid, validity }: WindowRows, width: number): Uint8Array {
  const [only] = parts;
  if (parts.length === 1 && validity === null && only!.page.kind === 'fixed') {
    const view = only!.page.values.view(rows);
    if (view !== null) return view;
  }
  const out = new Uint8Array(rows * width);
  let at = 0;
  for (const { page, count } of parts) {
    if (page.kind === 'fixed') page.values.read(out, at, count);
    at += count;
  }
  if (validity !== null) spreadFixed(out, width, validity, valid, rows);
  return out;
}

function readBits(parts: readonly WindowPart[], { rows, valid, validity }: WindowRows): Uint8Array {
  const out = new Uint8Array(bitmapBytes(rows));
  let at = 0;
  for (const { page, count } of parts) {
    if (page.kind === 'bits') page.values.read(out, at, count);
    at += count;
  }
  if (validity !== null) spreadBits(out, validity, valid, rows);
  return out;
}

function readIndices(parts: readonly WindowPart[], place: WindowRows, options: WindowType): DictionaryColumn {
  const { rows, valid, validity } = place;
  const indices = new Int32Array(rows);
  let at = 0;
  for (const { page, count } of parts) {
    if (page.values instanceof DictionaryByteValues) page.values.indices(indices, at, count);
    at += count;
  }
  if (validity !== null) spreadSingles(indices, validity, valid, rows);
  const dictionary = options.dictionary();
  return {
    kind: 'dictionary',
    type: options.type,
    length: rows,
    nullCount: rows - valid,
    validity,
    indices,
    dictionary,
  };
}

function readBytes(parts: readonly WindowPart[], { rows, valid, validity }: WindowRows, bytesMax: number) {
  const offsets = new Int32Array(rows + 1);
  let total = 0;
  let at = 0;
  for (const { page, count } of parts) {
    total = bytesOf(page).measure(offsets, at, count);
    checkUnfolded(total, bytesMax);
    at += count;
  }
  const values = wordBytes(new Uint8Array(total + copySlackBytes));
  at = 0;
  for (const { page, count } of parts) {
    bytesOf(page).copy(values, offsets, at, count);
    at += count;
  }
  // Words may have brought along what lay behind the last value.
  values.bytes.fill(0, total);
  if (validity !== null) spreadOffsets(offsets, validity, valid, rows);
  return { offsets, values: values.bytes.subarray(0, total) };
}

function bytesOf(page: PageValues): ByteValues {
  if (page.kind !== 'bytes') throw new TypeError('a page of byte arrays holds other values');
  return page.values;
}
