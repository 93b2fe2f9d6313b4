import { formatColumnPath } from '../../core/column-path.ts';
import { ServiceError } from '../../core/errors.ts';
import type { BytesColumn, Column, DictionaryColumn, StructColumn } from './column.ts';
import type { BufferSource, Node } from './ipc-buffers.ts';
import { alignedWithin, normalizeOffsets, swapped } from './ipc-offsets.ts';
import { checkUtf8 } from './ipc-text.ts';
import { readListView, readView } from './ipc-views.ts';
import type { MalformedCode, WireField } from './ipc-wire.ts';
import { bitAt, bitmapBytes, countSetBits } from './kernels/bitmap.ts';
import { nullColumn } from './kernels/null-column.ts';
import { sliceColumn } from './kernels/slice.ts';
import { takeColumn } from './kernels/take.ts';
import { halvesOf, wordsOf } from './kernels/typed-views.ts';

export interface ColumnReaderOptions {
  readonly source: BufferSource;
  readonly bigEndian: boolean;
  /** Metadata V4, where run-end encoded columns have a validity buffer too (as Arrow C++ writes them); nothing is in it. */
  readonly isV4: boolean;
  /** What each dictionary id stands for at this point of the stream. */
  readonly dictionaries: ReadonlyMap<bigint, Column>;
  readonly code: MalformedCode;
}

/** Reads columns off a record batch of unknown origin; each comes out with the invariants of column.ts or not at all. */
export interface ColumnReader {
  /** A field of `rows` rows; null takes the length that the node says. */
  read(wire: WireField, rows: number | null, parent: readonly string[]): Column;
  /** The values of a dictionary-encoded field. */
  readDictionary(wire: WireField): Column;
}

export function columnReader({ source, bigEndian, isV4, dictionaries, code }: ColumnReaderOptions): ColumnReader {
  const { budget } = source;

  const fail = (path: readonly string[], what: string): ServiceError =>
    new ServiceError(code, `Arrow IPC: column ${formatColumnPath(path)}: ${what}`);

  const numbers = (bytes: Uint8Array, unit: number): Uint8Array =>
    bigEndian && unit > 1 ? swapped(bytes, unit, budget) : alignedWithin(bytes, budget);

  function read(wire: WireField, rows: number | null, parent: readonly string[]): Column {
    const path = [...parent, wire.field.name];
    const node = source.node();
    if (rows !== null && node.length !== rows) {
      // Struct and top-level columns have their parent's length; a fixed-size list's child may be longer and is cut by it.
      throw fail(path, `it has ${node.length} rows and its parent ${rows}`);
    }
    return wire.dictionary === null ? readValues(wire, node, path) : readIndices(wire, node, path);
  }

  function readValidity(node: Node, path: readonly string[]) {
    const bitmap = source.buffer();
    const { length, nullCount } = node;
    const type = { length, nullCount };
    if (bitmap.length < bitmapBytes(length)) {
      if (nullCount > 0) throw fail(path, 'its validity bitmap is too short');
      return { ...type, validity: null };
    }
    const nulls = length - countSetBits(bitmap, length);
    if (nulls !== nullCount) throw fail(path, `its bitmap has ${nulls} nulls and its node ${nullCount}`);
    return { ...type, validity: nullCount === 0 ? null : bitmap.subarray(0, bitmapBytes(length)) };
  }

  function readValues(wire: WireField, node: Node, path: readonly string[]): Column {
    const { layout } = wire;
    const { type } = wire.field;
    if (layout.kind === 'null') return nullColumn(type, node.length);
    if (layout.kind === 'run-end') return readRuns(wire, node.length, path);
    const base = { type, ...readValidity(node, path) };
    switch (layout.kind) {
      case 'fixed': {
        const values = source.buffer();
        const bytes = node.length * layout.width;
        if (values.length < bytes)
          throw fail(path, `its values take ${bytes} bytes and only ${values.length} are there`);
        return {
          ...base,
          kind: 'fixed',
          width: layout.width,
          values: numbers(values.subarray(0, bytes), layout.swapBytes),
        };
      }
      case 'bool': {
        const values = source.buffer();
        if (values.length < bitmapBytes(node.length)) throw fail(path, 'its values are too short');
        return { ...base, kind: 'bool', values: values.subarray(0, bitmapBytes(node.length)) };
      }
      case 'bytes': {
        const offsetBytes = numbers(source.buffer(), bigEndian ? layout.offsetBits / 8 : 1);
        const values = source.buffer();
        const found = normalizeOffsets(offsetBytes, layout.offsetBits, node.length, values.length, budget);
        if (found === null) throw fail(path, 'its offsets are too few, decrease or leave its values');
        const used = values.subarray(found.start, found.end);
        return checkedText({ ...base, kind: 'bytes', offsets: found.offsets, values: used }, layout.utf8, path);
      }
      case 'view': {
        if (bigEndian)
          throw new ServiceError('UNSUPPORTED_FEATURE', `column ${formatColumnPath(path)}: a big-endian view`);
        const views = source.buffer();
        const data = Array.from({ length: source.variadicCount() }, () => source.buffer());
        const found = readView(views, data, base.validity, node.length, budget);
        if (found === null) throw fail(path, 'its views are too few or leave their buffers');
        return checkedText({ ...base, kind: 'bytes', ...found }, layout.utf8, path);
      }
      case 'list': {
        const offsetBytes = numbers(source.buffer(), bigEndian ? layout.offsetBits / 8 : 1);
        const child = read(wire.children[0]!, null, path);
        const found = normalizeOffsets(offsetBytes, layout.offsetBits, node.length, child.length, budget);
        if (found === null) throw fail(path, 'its offsets are too few, decrease or leave its child');
        const used = sliceColumn(child, found.start, found.end);
        if (type.kind === 'map') checkEntries(used, path);
        return { ...base, kind: 'list', offsets: found.offsets, child: used };
      }
      case 'list-view': {
        const unit = bigEndian ? layout.offsetBits / 8 : 1;
        const offsets = numbers(source.buffer(), unit);
        const sizes = numbers(source.buffer(), unit);
        const child = read(wire.children[0]!, null, path);
        const found = readListView(
          { offsets, sizes, bits: layout.offsetBits },
          child,
          base.validity,
          node.length,
          budget,
        );
        if (found === null) throw fail(path, 'its views are too few or leave its child');
        return { ...base, kind: 'list', ...found };
      }
      case 'fixed-list': {
        const rows = node.length * layout.size;
        const child = read(wire.children[0]!, null, path);
        if (child.length < rows) throw fail(path, `its child needs ${rows} rows and has ${child.length}`);
        return { ...base, kind: 'fixed-list', size: layout.size, child: sliceColumn(child, 0, rows) };
      }
      case 'struct': {
        const children = wire.children.map((child) => read(child, node.length, path));
        return { ...base, kind: 'struct', children };
      }
      default:
        return layout satisfies never;
    }
  }

  function checkedText(column: BytesColumn, utf8: boolean, path: readonly string[]): BytesColumn {
    const checked = utf8 ? checkUtf8(column, budget) : column;
    if (checked === null) throw fail(path, 'a text is not UTF-8');
    return checked;
  }

  function checkEntries(entries: Column, path: readonly string[]): void {
    const keys = (entries as StructColumn).children[0]!;
    if (entries.nullCount > 0 || keys.nullCount > 0) throw fail(path, 'a map has a null entry or a null key');
  }

  /** Run-end encoding is undone: `values` row i fills the rows up to run end i. */
  function readRuns(wire: WireField, rows: number, path: readonly string[]): Column {
    if (isV4) source.buffer();
    const ends = read(wire.children[0]!, null, path);
    const values = read(wire.children[1]!, ends.length, path);
    if (ends.kind !== 'fixed' || ends.nullCount > 0) throw fail(path, 'its run ends have nulls');
    const runEnds = endsOf(ends.values, ends.width, ends.length);
    budget.charge(rows * 4);
    const indices = new Int32Array(rows);
    let row = 0;
    for (let run = 0; run < runEnds.length && row < rows; run++) {
      const end = runEnds[run]!;
      if (end <= row) throw fail(path, 'its run ends do not increase');
      indices.fill(run, row, Math.min(end, rows));
      row = end;
    }
    if (row < rows) throw fail(path, 'its runs end before its rows');
    return takeColumn(values, indices, budget);
  }

  function endsOf(bytes: Uint8Array, width: number, count: number): Int32Array | Int16Array {
    if (width === 2) return halvesOf(bytes).subarray(0, count);
    if (width === 4) return wordsOf(bytes).subarray(0, count);
    // A run end beyond 31 bits lies behind every row that a batch may have, where only the last one matters.
    const words = wordsOf(bytes);
    budget.charge(count * 4);
    return Int32Array.from({ length: count }, (_, at) => {
      const low = words[at << 1]!;
      const high = words[(at << 1) | 1]!;
      return high === 0 && low >= 0 ? low : high < 0 ? -1 : 0x7fffffff;
    });
  }

  function readIndices(wire: WireField, node: Node, path: readonly string[]): DictionaryColumn {
    const { id, indexBits, indexSigned } = wire.dictionary!;
    const base = readValidity(node, path);
    const bytes = source.buffer();
    if (bytes.length < (node.length * indexBits) / 8) throw fail(path, 'its dictionary indices are too short');
    const exact = numbers(bytes.subarray(0, (node.length * indexBits) / 8), indexBits / 8);
    const indices = readIndexNumbers(exact, indexBits, indexSigned, node.length);
    const known = dictionaries.get(id);
    if (known === undefined && node.nullCount < node.length) throw fail(path, `dictionary ${id} has not been sent`);
    const dictionary = known ?? nullColumn(wire.field.type, 0);
    for (let row = 0; row < indices.length; row++) {
      if (base.validity !== null && bitAt(base.validity, row) === 0) indices[row] = 0;
      else if (indices[row]! < 0 || indices[row]! >= dictionary.length) {
        throw fail(path, `row ${row}: its index is not one of the dictionary's ${dictionary.length} entries`);
      }
    }
    const column: DictionaryColumn = { kind: 'dictionary', type: wire.field.type, ...base, indices, dictionary };
    return dictionary.nullCount > 0 ? foldNulls(column) : column;
  }

  /** Fresh, because nulls get index 0. A 64-bit or unsigned index beyond 31 bits becomes -1, which no dictionary has. */
  function readIndexNumbers(bytes: Uint8Array, bits: number, signed: boolean, rows: number): Int32Array {
    budget.charge(rows * 4);
    switch (bits) {
      case 8:
        return Int32Array.from(signed ? new Int8Array(bytes.buffer, bytes.byteOffset, rows) : bytes);
      case 16: {
        const halves = halvesOf(bytes);
        return Int32Array.from(signed ? halves : new Uint16Array(halves.buffer, halves.byteOffset, rows));
      }
      case 32:
        return wordsOf(bytes).slice();
      default: {
        const words = wordsOf(bytes);
        const indices = new Int32Array(rows);
        for (let row = 0; row < rows; row++) indices[row] = words[(row << 1) | 1] === 0 ? words[row << 1]! : -1;
        return indices;
      }
    }
  }

  return { read, readDictionary: (wire) => readValues(wire, source.node(), [wire.field.name]) };
}

/** A row whose dictionary entry is null is null itself: afterwards validity lies in the column alone. */
function foldNulls(column: DictionaryColumn): DictionaryColumn {
  const { length, indices, dictionary } = column;
  const validity = new Uint8Array(bitmapBytes(length));
  let valid = 0;
  for (let row = 0; row < length; row++) {
    const isNull =
      (column.validity !== null && bitAt(column.validity, row) === 0) ||
      dictionary.validity === null ||
      bitAt(dictionary.validity, indices[row]!) === 0;
    if (isNull) indices[row] = 0;
    else {
      validity[row >>> 3]! |= 1 << (row & 7);
      valid++;
    }
  }
  return valid === length
    ? { ...column, nullCount: 0, validity: null }
    : { ...column, nullCount: length - valid, validity };
}
