/** A table of a few thousand rows in several files and row groups, written by the real ingest, for plans and streams. */
import type { Catalog } from '../../src/catalog/catalog.ts';
import { resolveSnapshot } from '../../src/catalog/metadata/time-travel.ts';
import { indexSchema } from '../../src/catalog/schema/lookup.ts';
import type { PrimitiveType, Schema, StructType, Value } from '../../src/catalog/schema/types.ts';
import type { ColumnAccess } from '../../src/core/access.ts';
import { parseFilter } from '../../src/core/expression/parse.ts';
import { parseTableIdentifier } from '../../src/core/identifier.ts';
import { fieldId } from '../../src/core/ids.ts';
import { defaultLimits, type Limits } from '../../src/core/limits.ts';
import type { PutRequest } from '../../src/core/requests.ts';
import type { Batch, Column, WireBatch } from '../../src/scan/arrow/column.ts';
import { arrowSchemaOf } from '../../src/scan/arrow/iceberg.ts';
import { createFooterCache } from '../../src/scan/footers.ts';
import { planScan, type ScanAccess, type ScanInput, type ScanPlan, type ScanServices } from '../../src/scan/plan.ts';
import type { Position, ShardRange } from '../../src/scan/shards.ts';
import { type ScanChunk, type StreamOptions, streamRange } from '../../src/scan/stream.ts';
import { ingest } from '../../src/write/ingest.ts';
import { openTemporaryCatalog } from '../support/temporary-catalog.ts';
import { columnOf } from './filter/columns.ts';
import { valuesOf } from './parquet/values.ts';

export interface Row {
  readonly id: bigint;
  readonly region: string | null;
  readonly delay: number | null;
  readonly home: { readonly zip: number | null; readonly city: string | null } | null;
}

export const home: StructType = {
  kind: 'struct',
  fields: [
    { id: fieldId(5), name: 'zip', required: false, type: { kind: 'int' } },
    { id: fieldId(6), name: 'city', required: false, type: { kind: 'string' } },
  ],
};
export const schema: Schema = {
  schemaId: 0,
  identifierFieldIds: [],
  fields: [
    { id: fieldId(1), name: 'id', required: true, type: { kind: 'long' } },
    { id: fieldId(2), name: 'region', required: false, type: { kind: 'string' } },
    { id: fieldId(3), name: 'delay', required: false, type: { kind: 'int' } },
    { id: fieldId(4), name: 'home', required: false, type: home },
  ],
};

const regions = ['eu', 'us', 'asia', null];

/** Sorted by id within each region, so that ranges of ids are in few row groups. */
export const sampleRows = (count: number): Row[] =>
  Array.from({ length: count }, (_, at) => ({
    id: BigInt(at),
    region: regions[at % 4]!,
    delay: at % 7 === 0 ? null : (at * 31) % 100,
    home: at % 5 === 0 ? null : { zip: at % 3 === 0 ? null : at % 50, city: `c${at % 11}` },
  }));

export function batchOf(rows: readonly Row[]): Batch {
  const columns: Column[] = [
    columnOf(
      { kind: 'long' },
      rows.map((row) => row.id),
      0n,
    ),
    columnOf(
      { kind: 'string' },
      rows.map((row) => row.region),
      'garbage',
    ),
    columnOf(
      { kind: 'int' },
      rows.map((row) => row.delay),
      7,
    ),
    homeColumn(rows.map((row) => row.home)),
  ];
  return { schema: arrowSchemaOf(schema), rows: rows.length, columns };
}

/** Values lie under the nulls of the struct too. */
function homeColumn(homes: readonly Row['home'][]): Column {
  const leaf = (type: PrimitiveType, values: (Value | null)[], garbage: Value): Column =>
    columnOf(type, values, garbage);
  const present = columnOf(
    { kind: 'boolean' },
    homes.map((value) => (value === null ? null : true)),
    false,
  );
  const type = arrowSchemaOf(schema).fields[3]!.type;
  const children = [
    leaf(
      { kind: 'int' },
      homes.map((value) => (value === null ? 99 : value.zip)),
      3,
    ),
    leaf(
      { kind: 'string' },
      homes.map((value) => (value === null ? 'hidden' : value.city)),
      'x',
    ),
  ];
  const { length, nullCount, validity } = present;
  return { kind: 'struct', type, length, nullCount, validity, children };
}

export const rowsOf = (batches: readonly Batch[]): unknown[] =>
  batches.flatMap((batch) => {
    const columns = batch.columns.map(valuesOf);
    return Array.from({ length: batch.rows }, (_, row) =>
      Object.fromEntries(batch.schema.fields.map((field, at) => [field.name, columns[at]![row]])),
    );
  });

export const allRaw: ScanAccess = {
  columns: new Map(indexSchema(schema).entries.map(({ field }) => [field.id, { kind: 'raw' }])),
  rowFilter: null,
  restricted: false,
};

/** All raw but these; a column with null is excluded. */
export function restricted(
  columns: Readonly<Record<number, ColumnAccess | null>>,
  rowFilter: string | null = null,
): ScanAccess {
  const access = new Map(allRaw.columns);
  for (const [id, one] of Object.entries(columns)) {
    if (one === null) access.delete(fieldId(Number(id)));
    else access.set(fieldId(Number(id)), one);
  }
  return {
    columns: access,
    rowFilter: rowFilter === null ? null : parseFilter(rowFilter, defaultLimits),
    restricted: true,
  };
}

export interface SmallTable extends AsyncDisposable {
  readonly catalog: Catalog;
  readonly rows: readonly Row[];
  readonly services: ScanServices;
  /** Of row groups that were opened, so far. */
  readonly rowsRead: () => number;
  plan(
    input: Partial<Omit<ScanInput, 'filter'>> & { readonly filter?: string; readonly limits?: Partial<Limits> },
  ): Promise<ScanPlan>;
}

export const signal = new AbortController().signal;
const maskKeys = { global: new Uint8Array(32).fill(1), query: new Uint8Array(32).fill(2) };
const table = parseTableIdentifier('bronze.small');

/**
 * `partitionBy` region gives a file for each region; every 200 rows are a row group, as nothing waits in memory for a larger one unless
 * `putBytesMax` lets it.
 */
export async function openSmallTable(
  partitionBy: readonly string[] = ['region'],
  count = 3_000,
  putBytesMax = 0,
): Promise<SmallTable> {
  const temporary = await openTemporaryCatalog();
  const { catalog } = temporary;
  const rows = sampleRows(count);
  const limits = { ...defaultLimits, putBytesMax };
  const footers = createFooterCache({ objects: catalog.objects, limits });
  const request: PutRequest = {
    table,
    mode: 'create',
    overwriteFilter: null,
    partitionBy,
    formatVersion: null,
    branch: 'main',
    idempotencyKey: null,
  };
  const batches = Array.from({ length: Math.ceil(count / 800) }, (_, at) =>
    batchOf(rows.slice(at * 800, (at + 1) * 800)),
  );
  const input = {
    request,
    overwriteFilter: null,
    schema: arrowSchemaOf(schema),
    batches: (async function* () {
      yield* batches;
    })(),
    admit: () => {},
    principal: 'tester',
    digest: () => '',
  };
  await ingest(input as Parameters<typeof ingest>[0], { catalog, footers, limits, now: Date.now }, signal);
  let rowsRead = 0;
  const services: ScanServices = {
    objects: catalog.objects,
    footers,
    limits: defaultLimits,
    onRead: (_, rows) => {
      rowsRead += rows;
    },
  };
  return {
    catalog,
    rows,
    services,
    rowsRead: () => rowsRead,
    async plan({ filter, limits: changed, ...input }) {
      const { metadata } = await catalog.loadTable(table, signal);
      const parsed = filter === undefined ? null : parseFilter(filter, defaultLimits);
      const snapshot = resolveSnapshot(metadata, { kind: 'main' });
      const defaults = { metadata, snapshot, schema, columns: null, limit: null, access: allRaw };
      const withLimits = { ...services, limits: { ...defaultLimits, ...changed } };
      return planScan({ ...defaults, filter: parsed, ...input }, withLimits, signal);
    },
    [Symbol.asyncDispose]: () => temporary[Symbol.asyncDispose](),
  };
}

export const wholeRange = (plan: ScanPlan): ShardRange => ({
  start: { file: 0, row: 0 },
  end: { file: plan.files.length, row: 0 },
});

export const streamOptions: StreamOptions = {
  batchRows: null,
  bytesTarget: 2 << 20,
  bytesMax: 16 << 20,
  maskKeys,
  rowsLeft: null,
  passFrom: null,
};

/** The chunks of a range; the whole plan where none is given. */
export async function chunksOf(
  plan: ScanPlan,
  { services }: Pick<SmallTable, 'services'>,
  options: Partial<StreamOptions> = {},
  range: ShardRange = wholeRange(plan),
): Promise<ScanChunk[]> {
  const limited = { ...streamOptions, rowsLeft: plan.limit, ...options };
  const chunks: ScanChunk[] = [];
  for await (const chunk of streamRange(plan, range, limited, services, signal)) chunks.push(chunk);
  return chunks;
}

export const rowsOfChunks = (chunks: readonly ScanChunk[]): unknown[] =>
  rowsOf(chunks.map(({ batch }) => ({ ...batch, columns: columnsOf(batch) })));

/** Of a stream that sends no page as it lies. */
export function columnsOf(batch: WireBatch): readonly Column[] {
  return batch.columns.map((column) => {
    if (column.kind === 'stored') throw new Error('a stored page was sent');
    return column;
  });
}

export const after = (position: Position, plan: ScanPlan): ShardRange => ({ ...wholeRange(plan), start: position });
