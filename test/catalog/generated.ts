/** Generators of values, schemas and schema changes, for comparison with other Iceberg libraries. */
import fc from 'fast-check';
import type { SchemaChange } from '../../src/catalog/schema/evolve.ts';
import { indexSchema } from '../../src/catalog/schema/lookup.ts';
import {
  isPrimitive,
  type NestedField,
  type PrimitiveType,
  type Schema,
  type Type,
  type Value,
} from '../../src/catalog/schema/types.ts';
import { fieldId } from '../../src/core/ids.ts';

const days = { min: -700_000, max: 2_900_000 };
const micros = { min: BigInt(days.min) * 86_400_000_000n, max: BigInt(days.max) * 86_400_000_000n };
const int64 = { min: -(2n ** 63n), max: 2n ** 63n - 1n };

/** Values of a type, within the years 53 to 9909, since Python's calendar ends at 1 and 9999. */
export function valuesOf(type: PrimitiveType): fc.Arbitrary<Value> {
  switch (type.kind) {
    case 'boolean':
      return fc.boolean();
    case 'int':
      // Truncation within its width of the minimum overflows, where PyIceberg leaves the 32 bits and Java wraps around.
      return fc.oneof(fc.integer({ min: -2147483500 }), fc.integer({ min: -20, max: 20 }));
    case 'long':
      return fc.oneof(fc.bigInt({ min: int64.min + 1000n, max: int64.max }), fc.bigInt({ min: -20n, max: 20n }));
    case 'float':
      return fc.float({ noNaN: true });
    case 'double':
      return fc.double({ noNaN: true });
    case 'decimal':
      return fc.bigInt({ min: -(10n ** BigInt(type.precision)) + 1n, max: 10n ** BigInt(type.precision) - 1n });
    case 'date':
      return fc.oneof(fc.integer(days), fc.integer({ min: -800, max: 800 }));
    case 'time':
      return fc.bigInt({ min: 0n, max: 86_399_999_999n });
    case 'timestamp':
    case 'timestamptz':
      return fc.oneof(fc.bigInt(micros), fc.bigInt({ min: -10_000_000_000n, max: 10_000_000_000n }));
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return fc.oneof(fc.bigInt(int64), fc.bigInt({ min: -2000n, max: 2000n }));
    case 'string':
      return fc.string({
        unit: fc.oneof(fc.constantFrom('a', 'é', '漢', '😀'), fc.string({ minLength: 1, maxLength: 1 })),
      });
    case 'uuid':
      return fc.uint8Array({ minLength: 16, maxLength: 16 });
    case 'fixed':
      return fc.uint8Array({ minLength: type.length, maxLength: type.length });
    case 'binary':
      return fc.uint8Array({ maxLength: 40 });
    case 'unknown':
      throw new TypeError('no values');
    default:
      return type satisfies never;
  }
}

const primitive: fc.Arbitrary<PrimitiveType> = fc.oneof(
  fc.constantFrom<PrimitiveType>(
    ...(
      [
        'boolean',
        'int',
        'long',
        'float',
        'double',
        'date',
        'time',
        'timestamp',
        'timestamptz',
        'string',
        'uuid',
        'binary',
      ] as const
    ).map((kind) => ({ kind })),
  ),
  fc.integer({ min: 1, max: 40 }).map((length): PrimitiveType => ({ kind: 'fixed', length })),
  fc
    .tuple(fc.integer({ min: 1, max: 38 }), fc.integer({ min: 0, max: 38 }))
    .map(([precision, scale]): PrimitiveType => ({ kind: 'decimal', precision, scale: Math.min(precision, scale) })),
);

const names = ['a', 'b', 'c', 'd', 'é', 'Name', 'two words'];

/** Types nested up to three deep, all ids 0: number them with `assignFreshIds`. */
export const anyType: fc.Arbitrary<Type> = fc.letrec<{ type: Type; struct: Type }>((tie) => ({
  type: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    primitive,
    tie('struct'),
    fc
      .tuple(tie('type'), fc.boolean())
      .map(([type, required]): Type => ({ kind: 'list', element: field('element', type, required) })),
    fc.tuple(tie('type'), tie('type'), fc.boolean()).map(
      ([key, value, required]): Type => ({
        kind: 'map',
        key: field('key', key, true),
        value: field('value', value, required),
      }),
    ),
  ),
  struct: fc
    .uniqueArray(fc.tuple(fc.constantFrom(...names), tie('type'), fc.boolean()), {
      minLength: 1,
      maxLength: 4,
      selector: ([name]) => name,
    })
    .map(
      (members): Type => ({
        kind: 'struct',
        fields: members.map(([name, type, required]) => field(name, type, required)),
      }),
    ),
})).type;

export const anySchema: fc.Arbitrary<Schema> = fc
  .uniqueArray(fc.tuple(fc.constantFrom(...names), anyType, fc.boolean(), fc.option(fc.string(), { nil: undefined })), {
    minLength: 1,
    maxLength: 6,
    selector: ([name]) => name,
  })
  .map((members) => ({
    schemaId: 0,
    identifierFieldIds: [],
    fields: members.map(([name, type, required, doc]) => ({
      ...field(name, type, required),
      ...(doc === undefined ? {} : { doc }),
    })),
  }));

/** Changes that name fields of the schema; many of them are refused. */
export function changesOf(schema: Schema): fc.Arbitrary<SchemaChange[]> {
  const { entries } = indexSchema(schema);
  const path = fc.constantFrom(...entries.map((entry) => entry.path));
  const name = fc.constantFrom(...names, 'x', 'y', 'z', 'new name');
  const widened = fc
    .constantFrom(...entries.filter((entry) => isPrimitive(entry.field.type)))
    .map((entry): SchemaChange => {
      return { kind: 'widen', path: entry.path, type: widerThan(entry.field.type as PrimitiveType) };
    });
  const moved = fc
    .tuple(path, fc.constantFrom('first', 'before', 'after'), name)
    .map(([at, kind, sibling]): SchemaChange => {
      return { kind: 'move', path: at, to: kind === 'first' ? { kind } : { kind: kind as 'before', sibling } };
    });
  return fc.array(
    fc.oneof(
      fc
        .tuple(fc.option(path), name, anyType)
        .map(([parent, added, type]): SchemaChange => ({ kind: 'add', parent, name: added, type })),
      path.map((at): SchemaChange => ({ kind: 'drop', path: at })),
      fc.tuple(path, name).map(([at, to]): SchemaChange => ({ kind: 'rename', path: at, name: to })),
      path.map((at): SchemaChange => ({ kind: 'make-optional', path: at })),
      fc
        .tuple(path, fc.string({ minLength: 1 }))
        .map(([at, doc]): SchemaChange => ({ kind: 'set-doc', path: at, doc })),
      widened,
      moved,
    ),
    { minLength: 1, maxLength: 4 },
  );
}

function widerThan(type: PrimitiveType): PrimitiveType {
  if (type.kind === 'int') return { kind: 'long' };
  if (type.kind === 'float') return { kind: 'double' };
  return type.kind === 'decimal' ? { ...type, precision: 38 } : type;
}

function field(name: string, type: Type, required: boolean): NestedField {
  return { id: fieldId(0), name, required, type };
}
