import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { PrimitiveType } from '../../src/catalog/schema/types.ts';
import { BadValue, columnOfTexts } from '../../src/cli/csv/columns.ts';
import { inferType } from '../../src/cli/csv/infer.ts';
import { inspectCsv, readCsv } from '../../src/cli/csv/read.ts';
import { readRecords } from '../../src/cli/csv/records.ts';
import { isServiceError } from '../../src/core/errors.ts';
import type { Batch, BytesColumn, Column, FixedColumn } from '../../src/scan/arrow/column.ts';
import { isValid } from '../../src/scan/arrow/column.ts';
import { valueReader } from '../../src/scan/arrow/row-values.ts';

const options = { delimiter: ',', fieldsMax: 100 };

/** The text in pieces of a few bytes, as a file may arrive. */
async function* pieces(text: string | Uint8Array, size = 7): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function records(text: string | Uint8Array, size?: number): Promise<readonly (readonly [number, ...string[]])[]> {
  const found: (readonly [number, ...string[]])[] = [];
  for await (const { line, fields } of readRecords(pieces(text, size), options)) found.push([line, ...fields]);
  return found;
}

const refusal = async (text: string | Uint8Array): Promise<string> => {
  try {
    await records(text);
  } catch (error) {
    assert.ok(isServiceError(error, 'INVALID_REQUEST'), String(error));
    return error.message;
  }
  assert.fail('not refused');
};

test('records keep their line numbers over quoted newlines, empty lines and a byte order mark', async () => {
  const text = '\ufeffa,b\r\n1,"x\ny"\r\n\r\n2,"say ""hi"""\r\n';
  assert.deepEqual(await records(text), [
    [1, 'a', 'b'],
    [2, '1', 'x\ny'],
    [5, '2', 'say "hi"'],
  ]);
});

test('text that is no CSV is refused with its line', async () => {
  assert.match(await refusal(''), /no header line/);
  assert.match(await refusal('a,a\n'), /line 1: the column "a" is there twice/);
  assert.match(await refusal('a,,c\n'), /line 1: column 2 has no name/);
  assert.match(await refusal('a,b\n1,2\n3\n'), /line 3: 1 fields where the header has 2/);
  assert.match(await refusal('a,b\n1,2\n3,"x\ny\n'), /line 4: a quoted field that began here or before is not closed/);
  assert.match(await refusal('a,b\n1,x"y"\n'), /line 2: a quote stands where none may/);
  assert.match(await refusal(Buffer.from([0x61, 0x0a, 0xff, 0x0a])), /not UTF-8/);
  assert.match(await refusal(Buffer.from('a\né\n').subarray(0, 3)), /not UTF-8/);
});

test('any table of texts written by the rules of CSV reads back the same, in pieces of any size', async () => {
  const cell = fc.string({ unit: 'grapheme', maxLength: 12 }).map((text) => text.replaceAll('\r', ' '));
  const tables = fc
    .integer({ min: 2, max: 4 })
    .chain((width) => fc.array(fc.array(cell, { minLength: width, maxLength: width }), { maxLength: 8 }));
  await fc.assert(
    fc.asyncProperty(tables, fc.integer({ min: 1, max: 40 }), async (rows, size) => {
      const header = (rows[0] ?? ['', '']).map((_, at) => `c${at}`);
      const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;
      const text = [header, ...rows].map((row) => row.map(quoted).join(',')).join('\n');
      const read = await records(`${text}\n`, size);
      assert.deepEqual(
        read.slice(1).map(([, ...fields]) => fields),
        rows,
      );
    }),
    { numRuns: 60 },
  );
});

test('a column’s type is the narrowest that all its texts have', () => {
  const cases: readonly (readonly [readonly string[], PrimitiveType['kind']])[] = [
    [['1', '', '-20'], 'long'],
    [['9223372036854775807', '-9223372036854775808'], 'long'],
    [['9223372036854775808'], 'double'],
    [['1', '2.5', '1e3', 'NaN', '-inf'], 'double'],
    [['01234', '99999'], 'string'],
    [['true', 'FALSE'], 'boolean'],
    [['true', '1'], 'string'],
    [['2024-02-29', '1969-12-31'], 'date'],
    [['2023-02-29'], 'string'],
    [['2024-02-29', '2024-02-29 10:00:00.5'], 'timestamp'],
    [['2024-02-29T10:00:00Z', '2024-02-29 10:00:00+02:00'], 'timestamptz'],
    [['2024-02-29T10:00:00Z', '2024-02-29'], 'string'],
    [['', ''], 'string'],
  ];
  for (const [texts, kind] of cases) assert.equal(inferType(texts).kind, kind, texts.join('|'));
});

function valuesOf(column: Column, type: PrimitiveType): unknown[] {
  const read = valueReader(column, type);
  return Array.from({ length: column.length }, (_, row) => read(row));
}

test('whole numbers of 64 bits survive, whatever their size', () => {
  fc.assert(
    fc.property(
      fc.array(fc.option(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })), { maxLength: 30 }),
      (values) => {
        const texts = values.map((value) => (value === null ? '' : `${value}`));
        assert.deepEqual(valuesOf(columnOfTexts(texts, { kind: 'long' }), { kind: 'long' }), values);
      },
    ),
  );
  assert.throws(
    () => columnOfTexts(['1', '9223372036854775808'], { kind: 'long' }),
    (error: BadValue) => error.row === 1,
  );
});

test('texts become columns of every type that a table may have', () => {
  const decimal: PrimitiveType = { kind: 'decimal', precision: 9, scale: 2 };
  assert.deepEqual(valuesOf(columnOfTexts(['-1.5', '', '7'], decimal), decimal), [-150n, null, 700n]);
  assert.deepEqual(valuesOf(columnOfTexts(['2147483647', ''], { kind: 'int' }), { kind: 'int' }), [2147483647, null]);
  assert.deepEqual(valuesOf(columnOfTexts(['1970-01-02'], { kind: 'date' }), { kind: 'date' }), [1]);
  assert.deepEqual(valuesOf(columnOfTexts(['00:00:01'], { kind: 'time' }), { kind: 'time' }), [1_000_000n]);
  assert.deepEqual(valuesOf(columnOfTexts(['true', '', '0'], { kind: 'boolean' }), { kind: 'boolean' }), [
    true,
    null,
    false,
  ]);
  const zoned: PrimitiveType = { kind: 'timestamptz' };
  assert.deepEqual(valuesOf(columnOfTexts(['1970-01-01T01:00:00+01:00'], zoned), zoned), [0n]);
  const text = columnOfTexts(['é', '', 'b'], { kind: 'string' }) as BytesColumn;
  assert.deepEqual([...text.offsets], [0, 2, 2, 3]);
  assert.equal(isValid(text, 1), false);
  const double = columnOfTexts(['-Infinity', '.5'], { kind: 'double' }) as FixedColumn;
  assert.deepEqual([...new Float64Array(double.values.buffer)], [Number.NEGATIVE_INFINITY, 0.5]);
  for (const [bad, type] of [
    ['2147483648', 'int'],
    ['0x10', 'double'],
    ['maybe', 'boolean'],
    ['1.5', 'long'],
    ['2024-13-01', 'date'],
  ] as const) {
    assert.throws(() => columnOfTexts([bad], { kind: type }), BadValue, bad);
  }
});

test('a text of the wrong type is refused with its line and column, and a chosen type goes before the guess', async () => {
  const text = `n,zip\n${'1,5\n'.repeat(3)}x,5\n`;
  const columns = [
    { name: 'n', type: { kind: 'long' } },
    { name: 'zip', type: { kind: 'long' } },
  ] as const;
  const batches: Batch[] = [];
  await assert.rejects(async () => {
    for await (const batch of readCsv(pieces(text), columns, { ...options, batchRows: 2 })) batches.push(batch);
  }, /line 5: column n: "x" is not a long/);
  assert.deepEqual(
    batches.map(({ rows }) => rows),
    [2],
  );
  const chosen = new Map<string, PrimitiveType>([['zip', { kind: 'string' }]]);
  const inspected = await inspectCsv(pieces('n,zip\n1,5\n'), { ...options, chosen });
  assert.deepEqual(
    inspected.map(({ type }) => type.kind),
    ['long', 'string'],
  );
  const unknown = new Map<string, PrimitiveType>([['zipp', { kind: 'string' }]]);
  await assert.rejects(
    inspectCsv(pieces('n,zip\n'), { ...options, chosen: unknown }),
    /no column zipp .* Did you mean zip\?/,
  );
});
