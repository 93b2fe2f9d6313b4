import type { ErrorCode } from '../../core/errors.ts';
import type { Limits } from '../../core/limits.ts';
import type { ArrowField, ArrowSchema } from './column.ts';

/** How a field's values lie in a message body (Arrow columnar format, "Physical Memory Layout"), before they are normalized. */
export type WireLayout =
  | { readonly kind: 'null' }
  | { readonly kind: 'bool' }
  | { readonly kind: 'struct' }
  | { readonly kind: 'run-end' }
  /** `swapBytes`: the unit that a big-endian writer turned round; 1 for plain bytes. */
  | { readonly kind: 'fixed'; readonly width: number; readonly swapBytes: number }
  | { readonly kind: 'bytes'; readonly offsetBits: 32 | 64; readonly utf8: boolean }
  | { readonly kind: 'view'; readonly utf8: boolean }
  | { readonly kind: 'list'; readonly offsetBits: 32 | 64 }
  | { readonly kind: 'list-view'; readonly offsetBits: 32 | 64 }
  | { readonly kind: 'fixed-list'; readonly size: number };

export interface WireDictionary {
  readonly id: bigint;
  readonly indexBits: 8 | 16 | 32 | 64;
  readonly indexSigned: boolean;
}

/** A field of a foreign schema: what we make of it, and how it comes. Layout and children are the dictionary's where it has one. */
export interface WireField {
  readonly field: ArrowField;
  readonly layout: WireLayout;
  readonly children: readonly WireField[];
  readonly dictionary: WireDictionary | null;
}

/** What a schema message says. */
export interface DecodedSchema {
  readonly schema: ArrowSchema;
  readonly wire: readonly WireField[];
  /** By dictionary id: a field that uses it, whose layout its DictionaryBatch has. */
  readonly dictionaries: ReadonlyMap<bigint, WireField>;
  readonly bigEndian: boolean;
}

export type IpcLimits = Pick<
  Limits,
  'schemaFieldsMax' | 'schemaDepthMax' | 'decompressedBytesMax' | 'messageRowsMax' | 'dictionariesBytesMax'
>;

/** What malformed data is called: INVALID_REQUEST on the wire, CORRUPT_FILE in a file of the service's own storage. */
export type MalformedCode = Extract<ErrorCode, 'INVALID_REQUEST' | 'CORRUPT_FILE'>;
