import type { FieldId } from '../../core/ids.ts';

/** Iceberg's types (table spec, "Schemas and Data Types"). */
export type PrimitiveType =
  | { readonly kind: 'unknown' }
  | { readonly kind: 'boolean' }
  | { readonly kind: 'int' }
  | { readonly kind: 'long' }
  | { readonly kind: 'float' }
  | { readonly kind: 'double' }
  | { readonly kind: 'decimal'; readonly precision: number; readonly scale: number }
  | { readonly kind: 'date' }
  | { readonly kind: 'time' }
  | { readonly kind: 'timestamp' }
  | { readonly kind: 'timestamptz' }
  | { readonly kind: 'timestamp_ns' }
  | { readonly kind: 'timestamptz_ns' }
  | { readonly kind: 'string' }
  | { readonly kind: 'uuid' }
  | { readonly kind: 'fixed'; readonly length: number }
  | { readonly kind: 'binary' };

export interface StructType {
  readonly kind: 'struct';
  readonly fields: readonly NestedField[];
}

/** The element is a field of its own, named `element`. */
export interface ListType {
  readonly kind: 'list';
  readonly element: NestedField;
}

/** Key and value are fields of their own, named `key` and `value`; the key is required. */
export interface MapType {
  readonly kind: 'map';
  readonly key: NestedField;
  readonly value: NestedField;
}

export type Type = PrimitiveType | StructType | ListType | MapType;

export interface NestedField {
  readonly id: FieldId;
  readonly name: string;
  readonly required: boolean;
  readonly type: Type;
  readonly doc?: string;
  /** v3 defaults, as Iceberg's JSON single-value serialization; kept untouched. */
  readonly initialDefault?: unknown;
  readonly writeDefault?: unknown;
}

export interface Schema {
  readonly schemaId: number;
  readonly fields: readonly NestedField[];
  readonly identifierFieldIds: readonly FieldId[];
}

/**
 * One primitive value in memory: boolean; number for int, date (days), float, double; bigint for long, time and timestamps (in
 * the type's unit) and decimal (unscaled); string; bytes for uuid (16), fixed and binary.
 */
export type Value = boolean | number | bigint | string | Uint8Array;

export const isPrimitive = (type: Type): type is PrimitiveType =>
  type.kind !== 'struct' && type.kind !== 'list' && type.kind !== 'map';
