import fc from 'fast-check';
import type { PrimitiveType, Value } from '../../../src/catalog/schema/types.ts';
import type { Literal } from '../../../src/core/expression.ts';

/** A literal together with what it means, said without the code under test. */
export interface MeantLiteral {
  readonly literal: Literal;
  /** The order of a value and the literal; NaN where there is none. */
  readonly order: (value: Value) => number;
}

export interface TypeCase {
  readonly type: PrimitiveType;
  readonly value: fc.Arbitrary<Value>;
  readonly literal: fc.Arbitrary<MeantLiteral>;
}

const int32Min = -(2 ** 31);
const int32Max = 2 ** 31 - 1;
const int64Min = -(2n ** 63n);
const int64Max = 2n ** 63n - 1n;

const orderOf = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);

/** Small values meet often, edges sometimes, anything else now and then. */
const near = (min: bigint, max: bigint): fc.Arbitrary<bigint> =>
  fc.oneof(
    { weight: 4, arbitrary: fc.bigInt({ min: -4n, max: 4n }) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(min, min + 1n, max - 1n, max, 2n ** 31n, -(2n ** 32n), 2n ** 32n + 1n, 2n ** 53n + 1n),
    },
    { weight: 1, arbitrary: fc.bigInt({ min, max }) },
  );
const within = (min: bigint, max: bigint): fc.Arbitrary<bigint> =>
  near(min, max).filter((value) => value >= min && value <= max);

/** Decimal text of any fineness, and the order of unscaled values of `scale` relative to it. */
function numberLiteral(scale: number, max: bigint): fc.Arbitrary<MeantLiteral> {
  const digits = fc.oneof(
    { weight: 3, arbitrary: near(-max, max) },
    { weight: 1, arbitrary: fc.bigInt({ min: -(max ** 2n), max: max ** 2n }) },
  );
  const exponent = fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: -3, max: 1 }) },
    { weight: 1, arbitrary: fc.integer({ min: -70, max: 70 }) },
  );
  return fc.tuple(digits, exponent).map(([mantissa, power]) => ({
    literal: { kind: 'number', text: power === 0 ? String(mantissa) : `${mantissa}e${power}` },
    order: (value) => {
      const [left, right] = [BigInt(value as number | bigint), mantissa];
      const shift = power + scale;
      return shift >= 0 ? orderOf(left, right * 10n ** BigInt(shift)) : orderOf(left * 10n ** BigInt(-shift), right);
    },
  }));
}

function floatCase(kind: 'float' | 'double'): TypeCase {
  const rounded = kind === 'float' ? Math.fround : (value: number) => value;
  const value = fc.oneof(
    fc.constantFrom(0, -0, 1, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, rounded(0.1)),
    fc.double().map(rounded),
  );
  const text = fc.oneof(
    fc.constantFrom(
      '0',
      '-0',
      '1',
      '-1',
      '1.5',
      '0.1',
      '1e39',
      '-1e39',
      '1e400',
      '-1e400',
      '5e-324',
      '3.4028234663852886e38',
    ),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
  );
  const literal = text.map((written): MeantLiteral => {
    const exact = rounded(Number(written));
    return {
      literal: { kind: 'number', text: written },
      order: (left) => {
        const number = left as number;
        if (Number.isNaN(number)) return Number.NaN;
        if (Number.isFinite(exact)) return number < exact ? -1 : number > exact ? 1 : 0;
        // The literal is finite, so infinity lies beyond it and every finite value of the column before it.
        const isBeyond = number === exact;
        return exact > 0 ? (isBeyond ? 1 : -1) : isBeyond ? -1 : 1;
      },
    };
  });
  return { type: { kind }, value, literal };
}

function bytesCase(
  type: PrimitiveType,
  bytes: fc.Arbitrary<Uint8Array>,
  literalOf: (bytes: Uint8Array) => Literal,
): TypeCase {
  const own = bytes.map((value) => new Uint8Array(value));
  return {
    type,
    value: own,
    literal: own.map((right) => ({
      literal: literalOf(right),
      order: (left) => Buffer.compare(left as Uint8Array, right),
    })),
  };
}

const day = 86_400;
/** Years 1 to 9999. */
const isoOf = (seconds: number): string => new Date(seconds * 1000).toISOString().slice(0, 19);
const seconds = fc.oneof(
  fc.integer({ min: -2, max: 2 }),
  fc.constantFrom(-day, day, 5 * day),
  fc.integer({ min: -62_135_596_800, max: 253_402_300_799 }),
);
const nanosOfSecond = fc.oneof(
  fc.constantFrom(0, 1000, 1, 999_999_999, 500_000_000),
  fc.integer({ min: 0, max: 999_999_999 }),
);
const pairsToNanos = (second: number, nanos: number): bigint => BigInt(second) * 1_000_000_000n + BigInt(nanos);

function timestampCase(kind: 'timestamp' | 'timestamptz' | 'timestamp_ns' | 'timestamptz_ns'): TypeCase {
  const perTick = kind.endsWith('_ns') ? 1n : 1000n;
  const zoned = kind.startsWith('timestamptz');
  const written = fc
    .tuple(seconds, nanosOfSecond, fc.constantFrom('Z', '+01:00', '-05:30'), fc.boolean())
    .map(([second, nanos, zone, dateOnly]): MeantLiteral => {
      if (dateOnly) {
        const days = Math.floor(second / day);
        const at = pairsToNanos(days * day, 0);
        return {
          literal: { kind: 'typed', type: 'date', value: isoOf(days * day).slice(0, 10) },
          order: (value) => orderOf((value as bigint) * perTick, at),
        };
      }
      const offset = !zoned || zone === 'Z' ? 0 : zone === '+01:00' ? 3600 : -19_800;
      const text = `${isoOf(second)}.${String(nanos).padStart(9, '0')}${zoned ? zone : ''}`;
      const at = pairsToNanos(second - offset, nanos);
      return {
        literal: { kind: nanos % 2 === 0 ? 'string' : 'typed', type: 'timestamp', value: text } as Literal,
        order: (value) => orderOf((value as bigint) * perTick, at),
      };
    });
  const value = fc.oneof(
    fc
      .tuple(seconds, nanosOfSecond)
      .map(([second, nanos]) => pairsToNanos(second, nanos) / perTick)
      .filter((ticks) => ticks >= int64Min && ticks <= int64Max),
    within(int64Min, int64Max),
  );
  return { type: { kind }, value, literal: written };
}

const text = fc.oneof(
  fc.constantFrom('', 'a', 'ab', 'abc', 'b', '\u0000', '\uffff', '\u{10000}', '\ue000', 'ä', '🚰', 'a\u{1f6b0}'),
  fc.string({ unit: fc.constantFrom('a', 'b', 'é', '\uffff', '🚰'), maxLength: 4 }),
);
const dateValue = within(BigInt(int32Min), BigInt(int32Max)).map(Number);
const writtenDays = fc.oneof(fc.integer({ min: -4, max: 4 }), fc.integer({ min: -719_162, max: 2_932_896 }));
const smallBytes = (length: number): fc.Arbitrary<Uint8Array> =>
  fc
    .array(fc.constantFrom(0, 1, 127, 128, 255), { minLength: length, maxLength: length })
    .map((all) => Uint8Array.from(all));
const wholeCase = (
  type: PrimitiveType,
  scale: number,
  min: bigint,
  max: bigint,
  convert: (value: bigint) => Value,
): TypeCase => ({
  type,
  value: within(min, max).map(convert),
  literal: numberLiteral(scale, max),
});
const decimalCase = (precision: number, scale: number): TypeCase =>
  wholeCase(
    { kind: 'decimal', precision, scale },
    scale,
    -(10n ** BigInt(precision)) + 1n,
    10n ** BigInt(precision) - 1n,
    (value) => value,
  );

export const typeCases: readonly TypeCase[] = [
  {
    type: { kind: 'boolean' },
    value: fc.boolean(),
    literal: fc
      .boolean()
      .map((right) => ({ literal: { kind: 'boolean', value: right }, order: (left) => Number(left) - Number(right) })),
  },
  wholeCase({ kind: 'int' }, 0, BigInt(int32Min), BigInt(int32Max), Number),
  wholeCase({ kind: 'long' }, 0, int64Min, int64Max, (value) => value),
  decimalCase(38, 9),
  decimalCase(9, 2),
  floatCase('float'),
  floatCase('double'),
  {
    type: { kind: 'date' },
    value: dateValue,
    literal: writtenDays.map((days) => ({
      literal: { kind: 'typed', type: 'date', value: isoOf(days * day).slice(0, 10) },
      order: (left) => (left as number) - days,
    })),
  },
  {
    type: { kind: 'time' },
    value: fc.oneof(fc.bigInt({ min: 0n, max: 3n }), fc.bigInt({ min: 0n, max: 86_399_999_999n })),
    literal: fc
      .tuple(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: day - 1 })), nanosOfSecond)
      .map(([second, nanos]) => ({
        literal: { kind: 'typed', type: 'time', value: `${isoOf(second).slice(11)}.${String(nanos).padStart(9, '0')}` },
        order: (left) => orderOf((left as bigint) * 1000n, pairsToNanos(second, nanos)),
      })),
  },
  timestampCase('timestamp'),
  timestampCase('timestamptz'),
  timestampCase('timestamp_ns'),
  timestampCase('timestamptz_ns'),
  {
    type: { kind: 'string' },
    value: text,
    literal: text.map((right) => ({
      literal: { kind: 'string', value: right },
      order: (left) => Buffer.compare(Buffer.from(left as string), Buffer.from(right)),
    })),
  },
  bytesCase({ kind: 'uuid' }, smallBytes(16), (bytes) => ({
    kind: 'typed',
    type: 'uuid',
    value: Buffer.from(bytes)
      .toString('hex')
      .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'),
  })),
  bytesCase({ kind: 'fixed', length: 3 }, smallBytes(3), (value) => ({ kind: 'binary', value })),
  bytesCase({ kind: 'binary' }, fc.oneof(smallBytes(0), smallBytes(1), smallBytes(2)), (value) => ({
    kind: 'binary',
    value,
  })),
];
