import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { indexSchema } from '../../src/catalog/schema/lookup.ts';
import type { NestedField, Schema, Type } from '../../src/catalog/schema/types.ts';
import type { ColumnAccess, Mask } from '../../src/core/access.ts';
import { parseFilter } from '../../src/core/expression/parse.ts';
import { type FieldId, fieldId } from '../../src/core/ids.ts';
import { defaultLimits, type Limits } from '../../src/core/limits.ts';
import { arrowSchemaOf } from '../../src/scan/arrow/iceberg.ts';
import { type BoundFilter, bindFilter, conjunction } from '../../src/scan/filter/bind.ts';
import { evaluateFilter, selectedRows } from '../../src/scan/filter/evaluate.ts';
import { createFooterCache } from '../../src/scan/footers.ts';
import { openParquet } from '../../src/scan/parquet/footer.ts';
import type { ScanServices, ScanWork } from '../../src/scan/plan.ts';
import { prunablePart } from '../../src/scan/prune/prunable.ts';
import { createReadPool } from '../../src/scan/read-pool.ts';
import { planRowGroups } from '../../src/scan/row-groups.ts';
import { leafColumn } from '../../src/scan/shape.ts';
import type { Position } from '../../src/scan/shards.ts';
import { type ScanChunk, type StreamOptions, streamRange } from '../../src/scan/stream.ts';
import { visibleSchema } from '../../src/scan/visible-schema.ts';
import { openLocalStore } from '../../src/storage/local.ts';
import { runPython } from '../support/python.ts';
import { temporaryFolder } from './parquet/compare.ts';
import { countingStore } from './parquet/counting-store.ts';
import { rowsOf, streamOptions } from './small-table.ts';

const fileRows = 8_000;
const groupRows = 4_000;

/** The same table in files of several ages and writers: without a page index, without columns, under old names and types. */
const writeFiles = `
import random
import numpy as np, pyarrow as pa, pyarrow.parquet as pq
rng = np.random.default_rng(3)
random.seed(3)
rows = ${fileRows}
def field(id, name, kind): return pa.field(name, kind, metadata={'PARQUET:field_id': str(id)})
def some(values, share): return [None if random.random() < share else value for value in values]
def columns(file, narrow=False):
    first = file * rows
    return [
        (field(1, 'id', pa.int32() if narrow else pa.int64()), range(first, first + rows)),
        (field(2, 'r', pa.float64()), some(rng.random(rows).tolist(), 0.2)),
        (field(3, 'cat', pa.string()), some([f'c{i}' for i in rng.integers(0, 20, rows)], 0.1)),
        (field(4, 'text', pa.string()), [rng.bytes(30).hex() for _ in range(rows)]),
        (field(5, 'home', pa.struct([field(6, 'zip', pa.int32()), field(7, 'city', pa.string())])),
         some([{'zip': None if i % 3 == 0 else i % 50, 'city': f'city {i % 200}'} for i in range(rows)], 0.2)),
        (field(8, 'tags', pa.list_(field(9, 'element', pa.string()))), some([[f't{k}' for k in range(i % 4)] for i in range(rows)], 0.1)),
    ]
def write(file, columns, **options):
    table = pa.Table.from_arrays([pa.array(values, field.type) for field, values in columns], schema=pa.schema([field for field, _ in columns]))
    pq.write_table(table, f'{input}/{file}.parquet', row_group_size=${groupRows}, data_page_size=8192, write_batch_size=250, use_dictionary=['cat', 'home.city', 'tags.list.element'], store_schema=False, **options)
write(0, columns(0), write_page_index=True)
write(1, columns(1), compression='zstd')
write(2, [c for c in columns(2) if c[0].name not in ('r', 'tags')], write_page_index=True)
write(3, [(c[0].with_name('old ' + c[0].name), c[1]) for c in reversed(columns(3))], data_page_version='2.0', write_page_index=True, compression='zstd')
write(4, columns(4, narrow=True), write_page_index=True, write_statistics=False)
output = None
`;

const field = (id: number, name: string, type: Type): NestedField => ({ id: fieldId(id), name, required: false, type });
const schema: Schema = {
  schemaId: 0,
  identifierFieldIds: [],
  fields: [
    field(1, 'id', { kind: 'long' }),
    field(2, 'r', { kind: 'double' }),
    field(3, 'cat', { kind: 'string' }),
    field(4, 'text', { kind: 'string' }),
    field(5, 'home', {
      kind: 'struct',
      fields: [field(6, 'zip', { kind: 'int' }), field(7, 'city', { kind: 'string' })],
    }),
    field(8, 'tags', { kind: 'list', element: field(9, 'element', { kind: 'string' }) }),
  ],
};
const columns = new Map<FieldId, ColumnAccess>(
  indexSchema(schema).entries.map(({ field }) => [field.id, { kind: 'raw' }]),
);

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
const local = openLocalStore();
const { signal } = new AbortController();
let whole: readonly ScanChunk[];
before(async () => {
  folder = await temporaryFolder();
  await runPython(writeFiles, folder.path);
  whole = await chunksOf(await workOf(null, [0, 1, 2, 3, 4]));
});
after(async () => {
  await local[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

const pathOf = (file: number): string => pathToFileURL(join(folder.path, `${file}.parquet`)).href;

function servicesOf(limits: Partial<Limits> = {}, objects = countingStore(local)): ScanServices {
  const all = { ...defaultLimits, ...limits };
  return { objects, footers: createFooterCache({ objects, limits: all }), limits: all, pool: createReadPool(all) };
}

/** What a principal may see: some columns masked, and rows. */
interface Restriction {
  readonly masks: Readonly<Record<number, Mask>>;
  readonly rows: string;
}

const bound = (text: string | null, on: Schema): BoundFilter | null =>
  text === null ? null : bindFilter(parseFilter(text, defaultLimits), on, () => true);

/** A scan of files by their numbers, as it is planned. */
async function workOf(text: string | null, files: readonly number[], restriction?: Restriction): Promise<ScanWork> {
  const access = new Map(columns);
  for (const [id, mask] of Object.entries(restriction?.masks ?? {})) {
    access.set(fieldId(Number(id)), { kind: 'masked', mask });
  }
  const visible = visibleSchema(schema, access);
  const clientFilter = bound(text, visible);
  const rowFilter = bound(restriction?.rows ?? null, schema);
  const raw = clientFilter && prunablePart(clientFilter, (id) => access.get(id)?.kind === 'raw');
  const pruneFilter = conjunction([rowFilter, raw].filter((filter) => filter !== null));
  const scanned = files.map((file) => ({ path: pathOf(file), format: 'parquet' as const, rows: fileRows, bytes: 0 }));
  const shared = { nameMapping: null, files: scanned, pruneFilter };
  const { footers } = servicesOf();
  const { runs } = await planRowGroups({ ...shared, read: schema, footers }, 1_000, signal);
  const schemas = { read: schema, visible, output: visible, arrow: arrowSchemaOf(visible) };
  const restricted = restriction !== undefined;
  return { ...shared, schemas, rowFilter, clientFilter, access: { columns: access, restricted }, runs };
}

async function chunksOf(
  work: ScanWork,
  services: ScanServices = servicesOf(),
  options: Partial<StreamOptions> = {},
  start: Position = { file: 0, row: 0 },
): Promise<ScanChunk[]> {
  const range = { start, end: { file: work.files.length, row: 0 } };
  const chunks: ScanChunk[] = [];
  for await (const chunk of streamRange(work, range, { ...streamOptions, ...options }, services, signal))
    chunks.push(chunk);
  return chunks;
}

const rowsOfChunks = (chunks: readonly ScanChunk[]): unknown[] =>
  rowsOf(chunks.map(({ batch }) => batch) as Parameters<typeof rowsOf>[0]);
let wholeRows: unknown[] | null = null;

/** What filtering gives that is done after everything was read. */
function filtered(text: string, chunks: readonly ScanChunk[], all: readonly unknown[], on: Schema): unknown[] {
  const filter = bound(text, on)!;
  const rows: unknown[] = [];
  let before = 0;
  for (const { batch } of chunks) {
    const read = batch.columns as Parameters<typeof leafColumn>[1];
    const selected = selectedRows(evaluateFilter(filter, (id) => leafColumn(on, read, id)!, batch.rows));
    for (const row of selected) rows.push(all[before + row]);
    before += batch.rows;
  }
  return rows;
}

const condition = fc.oneof(
  fc
    .tuple(fc.nat({ max: 5 * fileRows }), fc.nat({ max: 4_000 }))
    .map(([from, count]) => `id BETWEEN ${from} AND ${from + count}`),
  fc.double({ min: 0, max: 1, noNaN: true }).map((least) => `r > ${least.toFixed(3)}`),
  fc.double({ min: 0.97, max: 1, noNaN: true }).map((least) => `r > ${least.toFixed(4)}`),
  fc.integer({ min: 0, max: 22 }).map((at) => `cat = 'c${at}'`),
  fc.constantFrom(
    "cat IN ('c1', 'c4')",
    'cat IS NULL',
    'r IS NULL',
    'home.zip IS NULL',
    "text < '01'",
    "text LIKE 'ab%'",
  ),
  fc.integer({ min: 0, max: 49 }).map((zip) => `home.zip = ${zip}`),
  fc.integer({ min: 0, max: 220 }).map((at) => `home.city = 'city ${at}'`),
);
const filters = fc.oneof(
  condition,
  fc
    .tuple(condition, condition, fc.constantFrom('AND', 'OR', 'AND NOT'))
    .map(([a, b, word]) => `(${a}) ${word} (${b})`),
);
const limitsOf = fc.record({
  stretchBytesTarget: fc.constantFrom(20_000, 120_000, 12 << 20),
  readAheadBytesMax: fc.constantFrom(1, 24 << 20),
  readAheadGroupsMax: fc.constantFrom(1, 4),
});

test('filter columns first gives the rows that reading everything first gives', async () => {
  let found = 0;
  await fc.assert(
    fc.asyncProperty(filters, limitsOf, fc.constantFrom(null, 100, 4_096), async (text, limits, batchRows) => {
      const work = await workOf(text, [0, 1, 2, 3, 4]);
      const rows = rowsOfChunks(await chunksOf(work, servicesOf(limits), { batchRows }));
      wholeRows ??= rowsOfChunks(whole);
      assert.deepEqual(rows, filtered(text, whole, wholeRows, schema));
      found += rows.length;
    }),
    { numRuns: 20 },
  );
  assert.ok(found > 1_000);
});

test("the row filter sees raw values, the caller's filter masked ones, whatever is read first", async () => {
  const files = [0, 1, 2];
  const masks: Readonly<Record<number, Mask>> = { 3: { kind: 'show-last-4' }, 6: { kind: 'replace-with-null' } };
  const raw = await chunksOf(await workOf(null, files));
  const rawRows = rowsOfChunks(raw);
  let found = 0;
  await fc.assert(
    fc.asyncProperty(condition, filters, limitsOf, async (rows, text, limits) => {
      const admitted = new Set(filtered(rows, raw, rawRows, schema).map((row) => (row as { id: bigint }).id));
      const restriction = { masks, rows };
      const seen = await chunksOf(await workOf(null, files, restriction), servicesOf(limits));
      const seenRows = rowsOfChunks(seen);
      assert.deepEqual(new Set(seenRows.map((row) => (row as { id: bigint }).id)), admitted);
      const work = await workOf(text, files, restriction);
      const passed = rowsOfChunks(await chunksOf(work, servicesOf(limits)));
      assert.deepEqual(passed, filtered(text, seen, seenRows, work.schemas.visible));
      found += passed.length;
    }),
    { numRuns: 15 },
  );
  assert.ok(found > 100);
});

test('a reader that comes back to a stream whose bytes were given to others gets the same rows', async () => {
  const limits = { readPoolBytesMax: 1, readIdleMs: 0, stretchBytesTarget: 60_000 };
  for (const text of [null, 'r > 0.6', 'id BETWEEN 2000 AND 9000']) {
    const work = await workOf(text, [0, 1, 2, 3, 4]);
    const services = servicesOf(limits);
    const range = { start: { file: 0, row: 0 }, end: { file: work.files.length, row: 0 } };
    const chunks: ScanChunk[] = [];
    let evictions = 0;
    for await (const chunk of streamRange(work, range, { ...streamOptions, batchRows: 700 }, services, signal)) {
      chunks.push(chunk);
      const other = services.pool!.open();
      const held = services.pool!.heldBytes;
      if (!other.take(1, true)) await setTimeout(2);
      if (held > 0 && services.pool!.heldBytes <= 1) evictions++;
      other.close();
    }
    assert.ok(evictions > 1, `${evictions} evictions`);
    assert.deepEqual(rowsOfChunks(chunks), rowsOfChunks(await chunksOf(work)));
  }
});

test('of a file with a page index, rows that lie together cost the pages that hold them', async () => {
  const bytesOf = async (text: string, file: number): Promise<number> => {
    const objects = countingStore(local);
    const services = servicesOf({ readGapBytesMax: 0 }, objects);
    const work = await workOf(text, [file]);
    await services.footers.open(work.files.at(0)!, signal);
    objects.reads.length = 0;
    await chunksOf(work, services);
    return objects.bytes();
  };
  const { bytes } = await local.stat(pathOf(0), signal);
  const some = await bytesOf('id BETWEEN 700 AND 720', 0);
  assert.ok(some > 0 && some < bytes / 10, `${some} of ${bytes} bytes`);
  // Row groups that no row passes cost the filter's columns alone.
  const none = await bytesOf('r > 2 OR r < 0', 0);
  assert.equal(none, 0, 'statistics tell');
  const file = await openParquet({ objects: local, location: pathOf(4), limits: defaultLimits, signal });
  const filterBytes = file.metadata.rowGroups.reduce(
    (sum, { chunks }) => sum + chunks[1]!.range.end - chunks[1]!.range.start,
    0,
  );
  assert.equal(await bytesOf('r > 2', 4), filterBytes);
});

test('scanned bytes are told as they are read', async () => {
  for (const text of [null, 'r > 0.5', "cat = 'c3' AND id < 7000"]) {
    const objects = countingStore(local);
    let [told, toldRows] = [0, 0];
    const onRead = (bytes: number, rows: number): void => {
      told += bytes;
      toldRows += rows;
    };
    const services = { ...servicesOf({}, objects), onRead };
    const work = await workOf(text, [0, 1, 2]);
    for (const file of work.files) await services.footers.open(file, signal);
    objects.reads.length = 0;
    await chunksOf(work, services);
    assert.equal(told, objects.bytes());
    assert.ok(toldRows > 0 && toldRows <= 3 * fileRows);
  }
});

test('a stream of a hundred files that is resumed in the middle reads at most one row group again', async () => {
  const work = await workOf(
    'r > 0.97',
    Array.from({ length: 100 }, (_, at) => at % 2),
  );
  // Nothing is read before somebody waits for it, so that what a stream read is what it needed.
  const limits = { readAheadBytesMax: 1, readAheadGroupsMax: 1 };
  const objects = countingStore(local);
  const services = servicesOf(limits, objects);
  await chunksOf(work, services, { batchRows: 500 });
  objects.reads.length = 0;
  const chunks = await chunksOf(work, services, { batchRows: 500 });
  const once = objects.bytes();
  const cut = Math.floor(chunks.length / 2);
  objects.reads.length = 0;
  const range = { start: { file: 0, row: 0 }, end: { file: 100, row: 0 } };
  let sent = 0;
  for await (const _ of streamRange(work, range, { ...streamOptions, batchRows: 500 }, services, signal))
    if (++sent > cut) break;
  const rest = await chunksOf(work, services, { batchRows: 500 }, chunks[cut]!.next);
  assert.deepEqual(rowsOfChunks(rest), rowsOfChunks(chunks.slice(cut + 1)));
  const groupBytes = Math.max(...Array.from(work.runs, ({ bytes }) => bytes));
  const again = objects.bytes() - once;
  assert.ok(again <= groupBytes, `${again} bytes were read again; a row group has ${groupBytes}`);
});

test('a reader that takes nothing has no more read for it than its bounds allow', async () => {
  const readBy = async (limits: Partial<Limits>): Promise<number> => {
    const objects = countingStore(local);
    const services = servicesOf(limits, objects);
    const work = await workOf(
      null,
      Array.from({ length: 40 }, (_, at) => at % 2),
    );
    for (const file of work.files) await services.footers.open(file, signal);
    objects.reads.length = 0;
    const range = { start: { file: 0, row: 0 }, end: { file: 40, row: 0 } };
    for await (const _ of streamRange(work, range, { ...streamOptions, batchRows: 100 }, services, signal)) {
      for (let before = -1; before !== objects.bytes(); await setTimeout(150)) before = objects.bytes();
      break;
    }
    return objects.bytes();
  };
  const stretchBytesTarget = 400_000;
  const bounded = await readBy({ stretchBytesTarget, readAheadBytesMax: 2_000_000 });
  assert.ok(bounded <= 2_000_000 + 2 * stretchBytesTarget, `${bounded} bytes`);
  const pooled = await readBy({ stretchBytesTarget, readPoolBytesMax: 1_200_000 });
  assert.ok(pooled <= 1_200_000 + 2 * stretchBytesTarget, `${pooled} bytes`);
  // Without the bounds it would read on.
  const unbounded = { readAheadBytesMax: 1 << 30, readPoolBytesMax: 1 << 30, readAheadGroupsMax: 100 };
  const all = await readBy(unbounded);
  assert.ok(all > 8_000_000, `${all} bytes`);
});
