/**
 * Arrow arrays as their buffers. The one in-memory shape of values between reading and sending: decoders and the IPC reader make
 * columns, masks and filters turn columns into columns, the Parquet writer and the IPC encoder consume them.
 *
 * Invariants: a column starts at row 0 (no offsets into buffers); `validity` is an LSB-first bitmap, 1 = valid, null when
 * `nullCount` is 0; numeric buffers start at a multiple of 8 bytes of their ArrayBuffer, so that typed views are free; buffers
 * are never written to once a column holds them; a value under a null is zero bytes once `restrict` has run.
 */
export type TimeUnit = 's' | 'ms' | 'us' | 'ns';

export type ArrowType =
  | { readonly kind: 'null' }
  | { readonly kind: 'bool' }
  | { readonly kind: 'int'; readonly bits: 8 | 16 | 32 | 64; readonly signed: boolean }
  | { readonly kind: 'float'; readonly bits: 16 | 32 | 64 }
  | { readonly kind: 'decimal'; readonly precision: number; readonly scale: number; readonly bits: 32 | 64 | 128 | 256 }
  | { readonly kind: 'date'; readonly unit: 'day' | 'ms' }
  | { readonly kind: 'time'; readonly unit: TimeUnit }
  | { readonly kind: 'timestamp'; readonly unit: TimeUnit; readonly timezone: string | null }
  | { readonly kind: 'duration'; readonly unit: TimeUnit }
  | { readonly kind: 'utf8' }
  | { readonly kind: 'binary' }
  | { readonly kind: 'fixed-size-binary'; readonly byteWidth: number }
  | { readonly kind: 'list'; readonly element: ArrowField }
  | { readonly kind: 'fixed-size-list'; readonly element: ArrowField; readonly size: number }
  | { readonly kind: 'struct'; readonly fields: readonly ArrowField[] }
  | { readonly kind: 'map'; readonly key: ArrowField; readonly value: ArrowField; readonly keysSorted: boolean };

/** Large variants and views are normalized to 32-bit offsets when read; dictionaries are a way of holding a column, not a type. */
export interface ArrowField {
  readonly name: string;
  readonly type: ArrowType;
  readonly nullable: boolean;
  /** Arrow's custom metadata; `PARQUET:field_id` carries the Iceberg field id as decimal text. */
  readonly metadata: ReadonlyMap<string, string>;
}

export interface ArrowSchema {
  readonly fields: readonly ArrowField[];
  readonly metadata: ReadonlyMap<string, string>;
}

interface ColumnBase {
  readonly type: ArrowType;
  readonly length: number;
  readonly nullCount: number;
  readonly validity: Uint8Array | null;
}

/** Every fixed-width type but bool: `values` holds length × width bytes, little-endian. */
export interface FixedColumn extends ColumnBase {
  readonly kind: 'fixed';
  readonly width: number;
  readonly values: Uint8Array;
}

/** `values` is an LSB-first bitmap. */
export interface BoolColumn extends ColumnBase {
  readonly kind: 'bool';
  readonly values: Uint8Array;
}

/** utf8 and binary: `offsets` has length + 1 entries, the first of them 0. */
export interface BytesColumn extends ColumnBase {
  readonly kind: 'bytes';
  readonly offsets: Int32Array;
  readonly values: Uint8Array;
}

/** list and map (whose child is a struct column of key and value): `offsets` has length + 1 entries, the first of them 0. */
export interface ListColumn extends ColumnBase {
  readonly kind: 'list';
  readonly offsets: Int32Array;
  readonly child: Column;
}

/** fixed-size-list: `child` has length × size rows. */
export interface FixedListColumn extends ColumnBase {
  readonly kind: 'fixed-list';
  readonly size: number;
  readonly child: Column;
}

export interface StructColumn extends ColumnBase {
  readonly kind: 'struct';
  readonly children: readonly Column[];
}

/** Values by index into `dictionary`; a null has index 0, validity lies here. `type` is the dictionary's. */
export interface DictionaryColumn extends ColumnBase {
  readonly kind: 'dictionary';
  readonly indices: Int32Array;
  readonly dictionary: Column;
}

export interface NullColumn extends ColumnBase {
  readonly kind: 'null';
}

export type Column =
  | FixedColumn
  | BoolColumn
  | BytesColumn
  | ListColumn
  | FixedListColumn
  | StructColumn
  | DictionaryColumn
  | NullColumn;

/** Columns of equal length, in the schema's order. */
export interface Batch {
  readonly schema: ArrowSchema;
  readonly rows: number;
  readonly columns: readonly Column[];
}

/** Null-free fixed-width values as they lie in a Parquet page that the wire carries as it is: only the IPC encoder takes it. */
export interface StoredColumn {
  readonly kind: 'stored';
  readonly type: ArrowType;
  readonly length: number;
  /** Bytes of the values, unpacked. */
  readonly bytes: number;
  /** One zstd frame, or the values themselves. */
  readonly frame: Uint8Array;
  readonly compressed: boolean;
}

/** A batch on its way to the wire. */
export interface WireBatch {
  readonly schema: ArrowSchema;
  readonly rows: number;
  readonly columns: readonly (Column | StoredColumn)[];
}

export const fieldIdKey = 'PARQUET:field_id';

/** Bytes of one value of a fixed-width type; throws for types that have none (bool, utf8, nested). */
export function byteWidth(type: ArrowType): number {
  switch (type.kind) {
    case 'int':
    case 'float':
    case 'decimal':
      return type.bits / 8;
    case 'date':
      return type.unit === 'day' ? 4 : 8;
    case 'time':
      return type.unit === 's' || type.unit === 'ms' ? 4 : 8;
    case 'timestamp':
    case 'duration':
      return 8;
    case 'fixed-size-binary':
      return type.byteWidth;
    default:
      throw new TypeError(`${type.kind} has no byte width`);
  }
}

export const isValid = (column: Column, row: number): boolean =>
  column.validity === null ? column.kind !== 'null' : ((column.validity[row >> 3]! >> (row & 7)) & 1) === 1;
