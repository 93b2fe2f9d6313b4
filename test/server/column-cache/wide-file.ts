/** A Parquet file with several row groups and several segments in each, and scans of it. Written by pyarrow; ids by name mapping. */
import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { parseNameMapping } from '../../../src/catalog/schema/name-mapping.ts';
import type { NestedField, Schema } from '../../../src/catalog/schema/types.ts';
import { parseFilter } from '../../../src/core/expression/parse.ts';
import { fieldId } from '../../../src/core/ids.ts';
import { defaultLimits } from '../../../src/core/limits.ts';
import { arrowSchemaOf } from '../../../src/scan/arrow/iceberg.ts';
import { createIpcEncoder } from '../../../src/scan/arrow/ipc-write.ts';
import type { ColumnCache } from '../../../src/scan/cache/cache.ts';
import { bindFilter } from '../../../src/scan/filter/bind.ts';
import { createFooterCache } from '../../../src/scan/footers.ts';
import type { ScanWork } from '../../../src/scan/plan.ts';
import { streamRange } from '../../../src/scan/stream.ts';
import { openLocalStore } from '../../../src/storage/local.ts';
import { runPython } from '../../support/python.ts';

export const groupRows = 9_000;
export const groups = 3;
const rows = groupRows * groups;

/** Texts of 300 characters make segments of 4,096 rows. */
export const segmentsOfGroup = 3;

export async function writeWideFile(path: string): Promise<void> {
  await runPython(
    `
import numpy as np, pyarrow as pa, pyarrow.parquet as pq
rows = ${rows}
rng = np.random.default_rng(3)
hexes = rng.integers(0, 256, (rows, 150), dtype='uint8')
every = lambda n, values: pa.array([None if at % n == 0 else value for at, value in enumerate(values)])
table = pa.table({
    'id': pa.array(np.arange(rows)),
    'word': every(7, [['red', 'green', 'blue'][at % 3] for at in range(rows)]),
    'text': pa.array([bytes(row).hex() for row in hexes]),
    'part': every(5, rng.normal(size=rows)),
    'flag': pa.array(rng.integers(0, 2, rows).astype(bool)),
    'tags': pa.array([None if at % 11 == 0 else ['t%d' % (at % 4)] * (at % 3) for at in range(rows)]),
    'home': pa.array([None if at % 13 == 0 else {'zip': at % 50, 'city': 'c%d' % (at % 9)} for at in range(rows)]),
})
pq.write_table(table, input, compression='zstd', row_group_size=${groupRows})
`,
    path,
  );
}

const field = (id: number, name: string, type: NestedField['type']): NestedField => ({
  id: fieldId(id),
  name,
  required: false,
  type,
});
const all: readonly NestedField[] = [
  field(1, 'id', { kind: 'long' }),
  field(2, 'word', { kind: 'string' }),
  field(3, 'text', { kind: 'string' }),
  field(4, 'part', { kind: 'double' }),
  field(5, 'flag', { kind: 'boolean' }),
  field(6, 'tags', { kind: 'list', element: field(7, 'element', { kind: 'string' }) }),
  field(8, 'home', {
    kind: 'struct',
    fields: [field(9, 'zip', { kind: 'long' }), field(10, 'city', { kind: 'string' })],
  }),
];
const mapping = [
  ...['id', 'word', 'text', 'part', 'flag'].map((name, at) => ({ 'field-id': at + 1, names: [name] })),
  { 'field-id': 6, names: ['tags'], fields: [{ 'field-id': 7, names: ['element'] }] },
  {
    'field-id': 8,
    names: ['home'],
    fields: [
      { 'field-id': 9, names: ['zip'] },
      { 'field-id': 10, names: ['city'] },
    ],
  },
];

/** What one stream reads: plain data, for threads. */
export interface Scan {
  readonly columns: readonly string[];
  readonly filter: string | null;
  /** Rows [start, end) of the file. */
  readonly rows?: readonly [number, number];
  readonly batchRows?: number;
}

export const allColumns = all.map(({ name }) => name);
export const scans: readonly Scan[] = [
  { columns: allColumns, filter: null },
  { columns: ['id', 'part'], filter: null },
  { columns: ['text', 'home'], filter: null, rows: [3_000, 20_000] },
  { columns: ['id', 'word', 'tags'], filter: "word = 'red'" },
  { columns: ['id', 'text'], filter: 'id >= 5000 AND id < 5100 OR id > 26000' },
  { columns: ['word', 'flag', 'home'], filter: 'home.zip < 10' },
  { columns: ['part', 'id'], filter: 'part IS NOT NULL', batchRows: 1_000 },
];

function workOf(path: string, { columns, filter }: Scan): ScanWork {
  const schemaOf = (fields: readonly NestedField[]): Schema => ({ schemaId: 0, identifierFieldIds: [], fields });
  const output = schemaOf(columns.map((name) => all.find((one) => one.name === name)!));
  const clientFilter =
    filter === null
      ? { kind: 'true' as const }
      : bindFilter(parseFilter(filter, defaultLimits), schemaOf(all), () => true);
  const read = schemaOf(all);
  const ids = Array.from({ length: 10 }, (_, at) => fieldId(at + 1));
  return {
    nameMapping: parseNameMapping(JSON.stringify(mapping)),
    schemas: { read, visible: read, output, arrow: arrowSchemaOf(output) },
    rowFilter: null,
    // Also where it admits all: batches are cut again, so that the same rows are always the same batches.
    clientFilter,
    pruneFilter: filter === null ? null : clientFilter,
    access: { columns: new Map(ids.map((id) => [id, { kind: 'raw' }])), restricted: false },
    files: [{ path: `file://${path}`, format: 'parquet', rows, bytes: statSync(path).size }],
    runs: [{ file: 0, rowGroup: null, startRow: 0, rows, bytes: 1 }],
  };
}

/** A digest of everything that a stream sends. */
export async function digestOf(
  path: string,
  scan: Scan,
  cache: ColumnCache | null,
  signal: AbortSignal = new AbortController().signal,
): Promise<string> {
  await using objects = openLocalStore();
  const footers = createFooterCache({ objects, limits: defaultLimits });
  const work = workOf(path, scan);
  const [start, end] = scan.rows ?? [0, rows];
  const range = { start: { file: 0, row: start }, end: { file: 0, row: end } };
  const maskKeys = { global: new Uint8Array(32), query: new Uint8Array(32) };
  const options = {
    batchRows: scan.batchRows ?? 8_192,
    bytesTarget: 2 << 20,
    bytesMax: 16 << 20,
    maskKeys,
    rowsLeft: null,
    passFrom: null,
  };
  const encoder = createIpcEncoder(work.schemas.arrow, { compression: 'none', dictionaries: false });
  const hash = createHash('sha256');
  for await (const { batch } of streamRange(
    work,
    range,
    options,
    { objects, footers, limits: defaultLimits, cache },
    signal,
  )) {
    for (const { header, body } of encoder.encode(batch)) {
      hash.update(header);
      for (const part of body) hash.update(part);
    }
  }
  return hash.digest('hex');
}
