import { extname, resolve } from 'node:path';
import type { NestedField, PrimitiveType, Schema } from '../../catalog/schema/types.ts';
import { throwIfCancelled } from '../../core/cancellation.ts';
import { ServiceError } from '../../core/errors.ts';
import type { Limits } from '../../core/limits.ts';
import type { ArrowSchema, Batch } from '../../scan/arrow/column.ts';
import { icebergSchemaOf } from '../../scan/arrow/iceberg.ts';
import { parquetToBatches } from '../../scan/parquet/cat.ts';
import { fileLocation } from '../../storage/locations.ts';
import type { ObjectStat, ObjectStore } from '../../storage/object-store.ts';
import { planConform } from '../../write/conform.ts';
import { formatOf, named, readPieces } from '../cat/data-file.ts';
import { type CsvColumn, csvSchema, csvTypes, inspectCsv, readCsv } from '../csv/read.ts';

export interface SourceOptions {
  readonly format: 'parquet' | 'csv' | null;
  /** Null: a tab for .tsv, else a comma. */
  readonly delimiter: string | null;
  /** Types of CSV columns that are not to be inferred. */
  readonly types: ReadonlyMap<string, PrimitiveType>;
  readonly limits: Limits;
  readonly signal: AbortSignal;
}

/** A file to import, looked at but not read. */
export interface Source {
  readonly path: string;
  readonly bytes: number;
  /** Its columns as a table would have them. */
  readonly fields: () => readonly NestedField[];
  readonly inferred: boolean;
  /** All rows, conformed to a table; `objects` may count what is read. Throws errors that name the file. */
  readonly read: (table: Schema, objects: ObjectStore) => AsyncIterable<Batch>;
}

const textExtensions = new Set(['.csv', '.tsv', '.txt']);
const magicBytes = 8;

export async function inspectSource(path: string, objects: ObjectStore, options: SourceOptions): Promise<Source> {
  const location = fileLocation(resolve(path));
  try {
    const stat = await objects.stat(location, options.signal);
    const format = options.format ?? (await formatOfFile(path, location, stat, objects, options.signal));
    const inspect = format === 'parquet' ? inspectParquet : inspectText;
    return await inspect({ path, location, stat }, objects, options);
  } catch (error) {
    throw named(path, error);
  }
}

interface File {
  readonly path: string;
  readonly location: string;
  readonly stat: ObjectStat;
}

async function formatOfFile(
  path: string,
  location: string,
  { bytes, identity }: ObjectStat,
  objects: ObjectStore,
  signal: AbortSignal,
): Promise<'parquet' | 'csv'> {
  const magic = await objects.read(location, { start: 0, end: Math.min(bytes, magicBytes) }, signal, identity);
  const format = formatOf(magic);
  if (format === 'parquet') return 'parquet';
  if (format !== null)
    throw new ServiceError('UNSUPPORTED_FEATURE', `only Parquet and CSV files are imported, and this is ${format}`);
  if (textExtensions.has(extname(path).toLowerCase())) return 'csv';
  throw new ServiceError('INVALID_REQUEST', 'it is not Parquet and not called .csv: say what it is with --format');
}

async function inspectParquet(file: File, objects: ObjectStore, { limits, signal }: SourceOptions): Promise<Source> {
  const { path, location, stat } = file;
  const { schema } = await parquetToBatches({ objects, location, limits, signal });
  return {
    path,
    bytes: stat.bytes,
    inferred: false,
    fields: () => fieldsOf(path, schema),
    read: (table, counted) =>
      conformed(
        path,
        schema,
        table,
        async () => (await parquetToBatches({ objects: counted, location, limits, signal })).batches,
      ),
  };
}

async function inspectText(file: File, objects: ObjectStore, options: SourceOptions): Promise<Source> {
  const { path, location, stat } = file;
  const { limits, signal } = options;
  const delimiter = options.delimiter ?? (extname(path).toLowerCase() === '.tsv' ? '\t' : ',');
  const csv = { delimiter, fieldsMax: limits.schemaFieldsMax };
  const pieces = (from: ObjectStore) => readPieces(from, location, stat, signal);
  const columns = await inspectCsv(pieces(objects), { ...csv, chosen: options.types });
  const batchRows = limits.batchRowsDefault;
  return {
    path,
    bytes: stat.bytes,
    inferred: true,
    fields: () => fieldsOf(path, csvSchema(columns)),
    read: (table, counted) => {
      const typed: readonly CsvColumn[] = naming(path, () => csvTypes(columns, table));
      const batches = () => Promise.resolve(readCsv(pieces(counted), typed, { ...csv, batchRows }));
      return conformed(path, csvSchema(typed), table, batches, signal);
    },
  };
}

const fieldsOf = (path: string, schema: ArrowSchema): readonly NestedField[] =>
  naming(path, () => icebergSchemaOf(schema).fields);

async function* conformed(
  path: string,
  schema: ArrowSchema,
  table: Schema,
  open: () => Promise<AsyncIterable<Batch>>,
  signal?: AbortSignal,
): AsyncGenerator<Batch> {
  const conformer = naming(path, () => planConform(schema, table));
  try {
    let rows = 0;
    for await (const batch of await open()) {
      if (signal !== undefined) throwIfCancelled(signal);
      yield conformer.conform(batch, rows);
      rows += batch.rows;
    }
  } catch (error) {
    throw named(path, error);
  }
}

function naming<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw named(path, error);
  }
}
