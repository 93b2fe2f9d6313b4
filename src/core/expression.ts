import type { ColumnPath } from './column-path.ts';
import type { FieldId } from './ids.ts';

/**
 * What a filter may say, before it is bound to a schema. Logic is three-valued (Kleene): a comparison with null is unknown, and a
 * row passes only where the whole is true.
 */
export type Expression = ExpressionOf<Literal>;

/** The same with another kind of literal: a policy's filter also has placeholders for claims. */
export type ExpressionOf<L> =
  | { readonly kind: 'true' }
  | { readonly kind: 'false' }
  | { readonly kind: 'not'; readonly of: ExpressionOf<L> }
  | { readonly kind: 'and' | 'or'; readonly of: readonly ExpressionOf<L>[] }
  | { readonly kind: 'compare'; readonly op: CompareOp; readonly term: Term; readonly literal: L }
  | { readonly kind: 'in'; readonly term: Term; readonly literals: readonly L[] }
  | { readonly kind: 'is-null' | 'is-nan'; readonly term: Term }
  | { readonly kind: 'starts-with'; readonly term: Term; readonly prefix: string };

export type CompareOp = '=' | '!=' | '<' | '<=' | '>' | '>=';

/** A column by name as its author wrote it, or by field id once policy has bound it. */
export type Term =
  | { readonly kind: 'column'; readonly path: ColumnPath }
  | { readonly kind: 'field'; readonly fieldId: FieldId };

/**
 * A literal as written: its type is settled when the expression is bound to a column. Numbers keep their text, so that no digit
 * of a decimal or a 64-bit integer is lost; `DATE '…'` and `TIMESTAMP '…'` are strings with a type demanded; `json` is a string
 * out of a JSON filter, read as Iceberg's JSON single-value serialization of the column's type (table spec, appendix D).
 */
export type Literal =
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'number'; readonly text: string }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'typed'; readonly type: 'date' | 'time' | 'timestamp' | 'uuid' | 'json'; readonly value: string }
  | { readonly kind: 'binary'; readonly value: Uint8Array };

export const always = { kind: 'true' } as const satisfies Expression;
export const never = { kind: 'false' } as const satisfies Expression;
