import { childrenOf, type FieldEntry, indexSchema } from '../../catalog/schema/lookup.ts';
import { describeType, formatPrimitiveType } from '../../catalog/schema/type-text.ts';
import {
  isPrimitive,
  type NestedField,
  type PrimitiveType,
  type Schema,
  type Value,
} from '../../catalog/schema/types.ts';
import { type ColumnPath, formatColumnPath } from '../../core/column-path.ts';
import { isServiceError, ServiceError } from '../../core/errors.ts';
import type { CompareOp, Expression, Literal, Term } from '../../core/expression.ts';
import type { FieldId } from '../../core/ids.ts';
import { didYouMean } from '../../core/nearest.ts';
import { type BoundField, type BoundFilter, hasNan, negateFilter } from './bound.ts';
import { type Placed, placeLiteral } from './literal.ts';

export type { BoundCondition, BoundField, BoundFilter } from './bound.ts';
export { conjunction, referencedFields } from './bound.ts';

/**
 * Settles a filter's columns and literals against a schema. A field for which `visible` is false does not exist: it reads
 * UNKNOWN_COLUMN exactly as a misspelt name does, and no suggestion names it. Throws INVALID_FILTER, naming the column and its
 * type, for a literal of the wrong type, a struct, list or map, a field below a list or a map, IS NAN of a type without NaN and
 * LIKE of anything but a string. Literals that no value of the column can equal are settled exactly: `i < 2.5` is `i <= 2`, and
 * `i < 1e30` is true for every value but null.
 */
export function bindFilter(
  expression: Expression,
  schema: Schema,
  visible: (fieldId: FieldId) => boolean,
): BoundFilter {
  return bindNode(expression, (term) => resolveTerm(term, schema, visible));
}

/**
 * Binds a policy's row filter, whose terms are field ids, to the schemas of a table, the one to be read first: a field that was
 * dropped since is found in the schema that last had it. Fails closed: where the filter cannot be bound (an unknown field, a
 * claim of the wrong type) it admits no row, and `problem` says why, for the log alone, since it may name hidden columns.
 */
export function bindRowFilter(
  expression: Expression,
  schemas: readonly Schema[],
): { readonly filter: BoundFilter; readonly problem: ServiceError | null } {
  const resolve = (term: Term): BoundField => {
    const schema = schemas.find((candidate) => findEntry(term, candidate) !== undefined);
    if (schema === undefined)
      throw new ServiceError('UNKNOWN_COLUMN', 'no schema of the table has a field of the row filter');
    return resolveTerm(term, schema, () => true);
  };
  try {
    return { filter: bindNode(expression, resolve), problem: null };
  } catch (error) {
    if (isServiceError(error)) return { filter: { kind: 'false' }, problem: error };
    throw error;
  }
}

function bindNode(node: Expression, resolve: (term: Term) => BoundField): BoundFilter {
  switch (node.kind) {
    case 'true':
    case 'false':
      return node;
    case 'not':
      return negateFilter(bindNode(node.of, resolve));
    case 'and':
    case 'or':
      return { kind: node.kind, of: node.of.map((child) => bindNode(child, resolve)) };
    case 'compare': {
      const field = resolve(node.term);
      return compareWith(field, node.op, place(node.literal, field));
    }
    case 'in': {
      const field = resolve(node.term);
      return bindIn(field, node.literals);
    }
    case 'is-null':
      return { kind: 'is-null', field: resolve(node.term) };
    case 'is-nan': {
      const field = resolve(node.term);
      if (!hasNan(field.type)) throw wrongColumn(field, 'IS NAN asks about float and double columns only');
      return { kind: 'is-nan', field };
    }
    case 'starts-with': {
      const field = resolve(node.term);
      if (field.type.kind !== 'string') throw wrongColumn(field, 'LIKE compares string columns only');
      return { kind: 'starts-with', field, prefix: node.prefix };
    }
    default:
      return node satisfies never;
  }
}

function compareWith(field: BoundField, op: CompareOp, placed: Placed): BoundFilter {
  if (placed.kind === 'exact') {
    return { kind: 'compare', op, field, literal: placed.value, nan: hasNan(field.type) && op === '!=' };
  }
  if (op === '=' || op === '!=') return { kind: 'unless-null', field, value: op === '!=' };
  const below = op === '<' || op === '<=';
  if (placed.kind !== 'between') {
    return { kind: 'unless-null', field, value: below === (placed.kind === 'above-all') };
  }
  return { kind: 'compare', op: below ? '<=' : '>', field, literal: placed.below, nan: false };
}

/** Literals that no value can equal fall away; a list of nothing is false, for nulls too, as SQL says of an empty list. */
function bindIn(field: BoundField, literals: readonly Literal[]): BoundFilter {
  if (literals.length === 0) return { kind: 'false' };
  const values = new Map<string, Value>();
  for (const literal of literals) {
    const placed = place(literal, field);
    if (placed.kind === 'exact') values.set(valueKey(placed.value), placed.value);
  }
  const distinct = [...values.values()];
  if (distinct.length === 0) return { kind: 'unless-null', field, value: false };
  if (distinct.length === 1) return { kind: 'compare', op: '=', field, literal: distinct[0]!, nan: false };
  return { kind: 'in', field, literals: distinct, nan: false };
}

const valueKey = (value: Value): string =>
  value instanceof Uint8Array ? Buffer.from(value).toString('hex') : String(value);

function place(literal: Literal, field: BoundField): Placed {
  try {
    const placed = placeLiteral(literal, field.type);
    if (placed !== null) return placed;
  } catch (error) {
    if (isServiceError(error, 'INVALID_FILTER')) throw wrongColumn(field, error.message);
    throw error;
  }
  throw wrongColumn(field, `it does not compare with ${describeLiteral(literal)}; write ${exampleOf(field.type)}`);
}

function resolveTerm(term: Term, schema: Schema, visible: (fieldId: FieldId) => boolean): BoundField {
  const entry = findEntry(term, schema);
  if (entry === undefined || !isVisible(entry.field, visible)) throw unknownColumn(term, schema, visible);
  const { field, path } = entry;
  const name = formatColumnPath(path);
  if (!isPrimitive(field.type)) {
    const hint = field.type.kind === 'struct' ? ': name a field inside it' : '';
    throw new ServiceError(
      'INVALID_FILTER',
      `column ${name} is a ${field.type.kind}, which a filter cannot compare${hint}`,
    );
  }
  if (entry.inRepeated) {
    throw new ServiceError(
      'INVALID_FILTER',
      `column ${name} lies below a list or a map, which a filter cannot reach into`,
    );
  }
  return { fieldId: field.id, type: field.type, path };
}

function findEntry(term: Term, schema: Schema): FieldEntry | undefined {
  const index = indexSchema(schema);
  return term.kind === 'column' ? index.find(term.path) : index.byId.get(term.fieldId);
}

/** A container is visible where any leaf below it is. */
function isVisible(field: NestedField, visible: (fieldId: FieldId) => boolean): boolean {
  return isPrimitive(field.type)
    ? visible(field.id)
    : childrenOf(field.type).some((child) => isVisible(child, visible));
}

function unknownColumn(term: Term, schema: Schema, visible: (fieldId: FieldId) => boolean): ServiceError {
  if (term.kind === 'field')
    return new ServiceError('UNKNOWN_COLUMN', `there is no column with the field id ${term.fieldId}`);
  const name = formatColumnPath(term.path);
  const names = indexSchema(schema)
    .entries.filter(({ field }) => isVisible(field, visible))
    .map(({ path }) => formatColumnPath(path));
  return new ServiceError('UNKNOWN_COLUMN', `there is no column ${name}.${didYouMean(name, names)}`);
}

function wrongColumn(
  field: { readonly path: ColumnPath; readonly type: PrimitiveType },
  problem: string,
): ServiceError {
  return new ServiceError(
    'INVALID_FILTER',
    `column ${formatColumnPath(field.path)} (${describeType(field.type)}): ${problem}`,
  );
}

function describeLiteral(literal: Literal): string {
  switch (literal.kind) {
    case 'boolean':
      return 'TRUE or FALSE';
    case 'number':
      return 'a number';
    case 'binary':
      return 'a binary literal';
    case 'typed':
      return literal.type === 'json' ? 'this string' : `a ${literal.type.toUpperCase()}`;
    default:
      return 'text';
  }
}

function exampleOf(type: PrimitiveType): string {
  switch (type.kind) {
    case 'boolean':
      return 'TRUE or FALSE';
    case 'int':
    case 'long':
    case 'float':
    case 'double':
    case 'decimal':
      return 'a number without quotes';
    case 'date':
      return "DATE '2001-01-31'";
    case 'time':
      return "TIME '10:00:00'";
    case 'timestamp':
    case 'timestamp_ns':
      return "TIMESTAMP '2001-01-31T10:00:00'";
    case 'timestamptz':
    case 'timestamptz_ns':
      return "TIMESTAMP '2001-01-31T10:00:00Z'";
    case 'uuid':
      return "UUID 'f79c3e09-677c-4bbd-a479-3f349cb785e7'";
    case 'fixed':
    case 'binary':
      return "hex digits, as in X'0AFF'";
    default:
      return `a value of the type ${formatPrimitiveType(type)}`;
  }
}
