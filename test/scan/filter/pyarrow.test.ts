import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { PrimitiveType, Value } from '../../../src/catalog/schema/types.ts';
import type { CompareOp } from '../../../src/core/expression.ts';
import { fieldId } from '../../../src/core/ids.ts';
import type { BoundFilter } from '../../../src/scan/filter/bound.ts';
import { negateFilter } from '../../../src/scan/filter/bound.ts';
import { evaluateFilter } from '../../../src/scan/filter/evaluate.ts';
import { runPython } from '../../support/python.ts';
import { testSeed } from '../../support/seed.ts';
import { columnOf, dictionaryOf } from './columns.ts';
import { type TypeCase, typeCases } from './values.ts';

/** Conditions whose literals are values of the column, said once for us and once for pyarrow. */
interface Twin {
  readonly ours: BoundFilter;
  readonly theirs: unknown;
}

const ops: readonly CompareOp[] = ['=', '!=', '<', '<=', '>', '>='];

/** pyarrow's kernels know no order of booleans. */
function condition(type: PrimitiveType, value: fc.Arbitrary<Value>): fc.Arbitrary<Twin> {
  const field = { fieldId: fieldId(1), type, path: ['c'] };
  const literal = value.filter((candidate) => !Number.isNaN(candidate));
  const hasNan = type.kind === 'float' || type.kind === 'double';
  const anyOp = fc.constantFrom(...(type.kind === 'boolean' ? ops.slice(0, 2) : ops));
  const compare = fc.tuple(anyOp, literal).map(
    ([op, right]): Twin => ({
      ours: { kind: 'compare', op, field, literal: right, nan: hasNan && op === '!=' },
      theirs: { kind: 'compare', op, value: plain(right) },
    }),
  );
  const isIn = fc.array(literal, { minLength: 2, maxLength: 4 }).map(
    (literals): Twin => ({
      ours: { kind: 'in', field, literals, nan: false },
      theirs: { kind: 'in', values: literals.map(plain) },
    }),
  );
  const isNull = fc.constant<Twin>({ ours: { kind: 'is-null', field }, theirs: { kind: 'is-null' } });
  const kinds = [compare, compare, isIn, isNull];
  if (hasNan) kinds.push(fc.constant<Twin>({ ours: { kind: 'is-nan', field }, theirs: { kind: 'is-nan' } }));
  if (type.kind === 'string') {
    kinds.push(
      fc.constantFrom('', 'a', 'é', '🚰').map(
        (prefix): Twin => ({
          ours: { kind: 'starts-with', field, prefix },
          theirs: { kind: 'starts-with', value: prefix },
        }),
      ),
    );
  }
  return fc.oneof(...kinds);
}

function filter(type: PrimitiveType, value: fc.Arbitrary<Value>): fc.Arbitrary<Twin> {
  return fc.letrec<{ node: Twin }>((tie) => ({
    node: fc.oneof(
      { depthSize: 'small' },
      condition(type, value),
      tie('node').map(({ ours, theirs }) => ({ ours: negateFilter(ours), theirs: { kind: 'not', of: theirs } })),
      fc.tuple(fc.constantFrom('and' as const, 'or' as const), tie('node'), tie('node')).map(([kind, a, b]) => ({
        ours: { kind, of: [a.ours, b.ours] },
        theirs: { kind, of: [a.theirs, b.theirs] },
      })),
    ),
  })).node;
}

/** JSON that loses no bit: integers as text, floats as hex of their eight bytes, bytes as hex. */
function plain(value: Value): unknown {
  if (typeof value === 'bigint') return String(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (typeof value === 'number' && !Number.isInteger(value)) return String(value);
  return Object.is(value, -0) ? '-0.0' : value;
}

const script = `
import decimal, pyarrow as pa, pyarrow.compute as pc
decimal.getcontext().prec = 80
TYPES = {'boolean': pa.bool_(), 'int': pa.int32(), 'long': pa.int64(), 'float': pa.float32(), 'double': pa.float64(),
  'date': pa.date32(), 'time': pa.time64('us'), 'timestamp': pa.timestamp('us'), 'timestamptz': pa.timestamp('us', 'UTC'),
  'timestamp_ns': pa.timestamp('ns'), 'timestamptz_ns': pa.timestamp('ns', 'UTC'), 'string': pa.string(),
  'uuid': pa.binary(16), 'binary': pa.binary()}
INTEGERS = {'int': pa.int32(), 'date': pa.int32()}

def array(t, values):
    kind = t['kind']
    if kind == 'decimal':
        typed = pa.decimal128(t['precision'], t['scale'])
        return pa.array([None if v is None else decimal.Decimal(v).scaleb(-t['scale']) for v in values], typed)
    typed = pa.binary(t['length']) if kind == 'fixed' else TYPES[kind]
    if kind in ('uuid', 'fixed', 'binary'):
        return pa.array([None if v is None else bytes.fromhex(v) for v in values], typed)
    if kind in ('float', 'double'):
        return pa.array([None if v is None else float(str(v).replace('Infinity', 'inf')) for v in values], typed)
    if kind in ('string', 'boolean'):
        return pa.array(values, typed)
    return pa.array([None if v is None else int(v) for v in values], INTEGERS.get(kind, pa.int64())).cast(typed)

OPS = {'=': pc.equal, '!=': pc.not_equal, '<': pc.less, '<=': pc.less_equal, '>': pc.greater, '>=': pc.greater_equal}

def evaluate(f, t, column):
    kind = f['kind']
    if kind == 'not': return pc.invert(evaluate(f['of'], t, column))
    if kind == 'and': return pc.and_kleene(*[evaluate(o, t, column) for o in f['of']])
    if kind == 'or': return pc.or_kleene(*[evaluate(o, t, column) for o in f['of']])
    if kind == 'is-null': return pc.is_null(column)
    if kind == 'is-nan': return pc.is_nan(column)
    if kind == 'starts-with': return pc.starts_with(column, f['value'])
    if kind == 'compare': return OPS[f['op']](column, array(t, [f['value']])[0])
    result = None
    for literal in array(t, f['values']):
        one = pc.equal(column, literal)
        result = one if result is None else pc.or_kleene(result, one)
    return result

output = []
for case in input:
    mask = evaluate(case['filter'], case['type'], array(case['type'], case['values']))
    output.append([2 if v is None else int(v) for v in mask.to_pylist()])
`;

const casesPerType = 60;
const seed = testSeed;

test(`filters give what pyarrow.compute gives (HEADRACE_TEST_SEED=${seed})`, async () => {
  const cases = typeCases.flatMap(({ type, value }: TypeCase) => {
    const rows = fc.array(fc.option(value, { freq: 4 }), { maxLength: 30 });
    const any = fc.tuple(rows, filter(type, value), value, fc.boolean());
    return fc
      .sample(any, { numRuns: casesPerType, seed })
      .map(([values, twin, garbage, coded]) => ({ type, values, twin, garbage, coded }));
  });
  const theirs = (await runPython(
    script,
    cases.map(({ type, values, twin }) => ({
      type,
      filter: twin.theirs,
      values: values.map((value) => (value === null ? null : plain(value))),
    })),
  )) as number[][];
  assert.equal(theirs.length, cases.length);
  for (const [at, { type, values, twin, garbage, coded }] of cases.entries()) {
    const column = (coded ? dictionaryOf : columnOf)(type, values, garbage);
    const ours = [...evaluateFilter(twin.ours, () => column, values.length)];
    assert.deepEqual(
      ours,
      theirs[at],
      `${type.kind}: ${JSON.stringify(twin.theirs)} over ${values.map(String).join(', ')}`,
    );
  }
});
