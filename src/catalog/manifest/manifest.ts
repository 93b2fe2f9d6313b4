import { ServiceError } from '../../core/errors.ts';
import { type FieldId, fieldId, snapshotId } from '../../core/ids.ts';
import type { Limits } from '../../core/limits.ts';
import type { AvroRecordType } from '../avro/schema.ts';
import { partitionFieldTypes } from '../partition/spec.ts';
import type { PartitionSpec } from '../partition/types.ts';
import type { PrimitiveType, Schema, Value } from '../schema/types.ts';
import { type AvroLimits, type AvroRow, readAvro } from './avro.ts';
import { partitionFromAvro } from './partition-avro.ts';
import { type RowField, RowFields, recordTypeOf, withoutNull } from './row.ts';
import type { DataFile, FileMetrics, ManifestEntry, ManifestFile } from './types.ts';

export { type ManifestContext, type WrittenManifest, writeManifest } from './write-manifest.ts';

export interface ManifestTypes {
  /** The current schema first, older ones for columns since dropped. */
  readonly schemas: readonly Schema[];
  /** The spec of `specId` in the manifest's row of the list. */
  readonly spec: PartitionSpec;
}

export type ManifestLimits = AvroLimits & Pick<Limits, 'manifestEntriesMax'>;

/**
 * All entries of a manifest of any format version, deleted ones included. What a writer left to be inherited comes from `file` (table
 * spec, "Sequence Number Inheritance", "Snapshot ID Inheritance"); v1 entries have sequence number 0. Throws CORRUPT_FILE, also
 * where there are fewer entries than `file` says, and LIMIT_EXCEEDED.
 */
export function readManifest(
  bytes: Uint8Array,
  file: ManifestFile,
  types: ManifestTypes,
  limits: ManifestLimits,
): ManifestEntry[] {
  const { type, rows } = readAvro(bytes, limits);
  const fields = new RowFields(type);
  const status = fields.require(0, 'status');
  const addedSnapshot = fields.find(1, 'snapshot_id');
  const sequence = fields.find(3, 'sequence_number');
  const fileSequence = fields.find(4, 'file_sequence_number');
  const dataFile = fields.require(2, 'data_file');
  const readFile = dataFileReader(recordTypeOf(dataFile), types);

  const entries: ManifestEntry[] = [];
  for (const row of rows) {
    if (entries.length === limits.manifestEntriesMax) {
      throw new ServiceError('LIMIT_EXCEEDED', `a manifest has more than ${limits.manifestEntriesMax} entries`);
    }
    const entryStatus = statuses[status.count(row)];
    const values = dataFile.listOrNull(row);
    if (entryStatus === undefined || values === null) throw corrupt('an entry without a status or a file');
    const sequenceNumber = inherited(sequence?.longOrNull(row) ?? null, entryStatus, file);
    entries.push({
      status: entryStatus,
      snapshotId: snapshotId(addedSnapshot?.longOrNull(row) ?? file.addedSnapshotId),
      sequenceNumber,
      // Writers before Iceberg 1.0 left it out of existing entries: the data sequence number is the closest that is known.
      fileSequenceNumber:
        fileSequence?.longOrNull(row) ?? (entryStatus === 'added' ? file.sequenceNumber : sequenceNumber),
      file: readFile(values, file.specId),
    });
  }
  requireEntries(file, entries.length);
  return entries;
}

/** Entries that the manifest list says there are; null where a v1 writer left a count out. */
export function expectedEntries({ addedFiles, existingFiles, deletedFiles }: ManifestFile): number | null {
  if (addedFiles === null || existingFiles === null || deletedFiles === null) return null;
  return addedFiles + existingFiles + deletedFiles;
}

/** Throws CORRUPT_FILE where a manifest has fewer entries than its list says. */
export function requireEntries(file: ManifestFile, entries: number): void {
  const expected = expectedEntries(file);
  if (expected !== null && expected > entries) {
    throw corrupt(`only ${entries} of the ${expected} entries that its manifest list says`);
  }
}

const statuses = ['existing', 'added', 'deleted'] as const;

function inherited(written: bigint | null, status: ManifestEntry['status'], file: ManifestFile): bigint {
  if (written !== null) return written;
  if (status === 'added' || file.sequenceNumber === 0n) return file.sequenceNumber;
  throw corrupt('an entry that was not added by it and has no sequence number');
}

const contents = ['data', 'position-deletes', 'equality-deletes'] as const;
const formats = ['parquet', 'avro', 'orc', 'puffin'] as const;
// Interpreted by id, or without meaning for readers (105 is v1's block size).
const knownIds = new Set([134, 100, 101, 102, 103, 104, 105, 108, 109, 110, 137, 125, 128, 132, 140]);

function dataFileReader(type: AvroRecordType, types: ManifestTypes): (row: AvroRow, specId: number) => DataFile {
  const fields = new RowFields(type);
  const content = fields.find(134, 'content');
  const path = fields.require(100, 'file_path');
  const format = fields.require(101, 'file_format');
  const readPartition = partitionReader(fields.find(102, 'partition'), types);
  const rows = fields.require(103, 'record_count');
  const bytes = fields.require(104, 'file_size_in_bytes');
  const readMetrics = metricsReader(fields);
  const splitOffsets = fields.find(132, 'split_offsets');
  const sortOrderId = fields.find(140, 'sort_order_id');
  const rest = type.fields.flatMap((field, at) =>
    field.fieldId === null || knownIds.has(field.fieldId) ? [] : [{ name: field.name, at }],
  );
  return (row, specId) => {
    const fileContent = contents[content?.countOrNull(row) ?? 0];
    const fileFormat = formats.find((known) => known === format.string(row).toLowerCase());
    if (fileContent === undefined) throw corrupt('a file of unknown content');
    if (fileFormat === undefined)
      throw new ServiceError('UNSUPPORTED_FEATURE', 'a manifest names a file of an unknown format');
    return {
      content: fileContent,
      path: path.string(row),
      format: fileFormat,
      specId,
      partition: readPartition(row),
      rows: rows.count(row),
      bytes: bytes.count(row),
      metrics: readMetrics(row),
      splitOffsets: splitOffsets?.listOrNull(row)?.map(offsetOf) ?? [],
      sortOrderId: sortOrderId?.countOrNull(row) ?? null,
      rest: restOf(row, rest),
    };
  };
}

const noRest: ReadonlyMap<string, unknown> = new Map();

function restOf(
  row: AvroRow,
  fields: readonly { readonly name: string; readonly at: number }[],
): ReadonlyMap<string, unknown> {
  const present = fields.filter(({ at }) => row[at] !== null);
  return present.length === 0 ? noRest : new Map(present.map(({ name, at }) => [name, row[at]]));
}

/** A partition tuple in the spec's order; fields that the manifest lacks are null, as for v1's dropped fields. */
function partitionReader(
  field: RowField | null,
  { schemas, spec }: ManifestTypes,
): (row: AvroRow) => readonly (Value | null)[] {
  if (field === null || spec.fields.length === 0) return () => [];
  const read = tupleReader(recordTypeOf(field), { schemas, spec });
  return (row) => read(field.listOrNull(row) ?? []);
}

/** Gives the values of a decoded partition record of this type as {@link DataFile.partition} has them. */
export function tupleReader(
  type: AvroRecordType,
  { schemas, spec }: ManifestTypes,
): (tuple: AvroRow) => readonly (Value | null)[] {
  const fields = new RowFields(type);
  const types = partitionFieldTypes(spec, schemas);
  const readers = spec.fields.map((partitionField, at) => {
    const found = fields.find(partitionField.fieldId, partitionField.name);
    const type: PrimitiveType = types[at]!;
    return (tuple: AvroRow): Value | null =>
      found === null ? null : partitionFromAvro(type, withoutNull(found.type), found.value(tuple));
  });
  return (tuple) => readers.map((read) => read(tuple));
}

function metricsReader(fields: RowFields): (row: AvroRow) => FileMetrics {
  const counts = (id: number, name: string) => pairsReader(fields.find(id, name), countOf);
  const bounds = (id: number, name: string) => pairsReader(fields.find(id, name), bytesOf);
  const columnBytes = counts(108, 'column_sizes');
  const valueCounts = counts(109, 'value_counts');
  const nullCounts = counts(110, 'null_value_counts');
  const nanCounts = counts(137, 'nan_value_counts');
  const lowerBounds = bounds(125, 'lower_bounds');
  const upperBounds = bounds(128, 'upper_bounds');
  return (row) => ({
    columnBytes: columnBytes(row),
    valueCounts: valueCounts(row),
    nullCounts: nullCounts(row),
    nanCounts: nanCounts(row),
    lowerBounds: lowerBounds(row),
    upperBounds: upperBounds(row),
  });
}

const noMetrics: ReadonlyMap<FieldId, never> = new Map<FieldId, never>();

/** Reads an array of key and value records; a value that makes no sense is left out, since what is absent prunes nothing. */
function pairsReader<Metric>(
  field: RowField | null,
  metricOf: (value: unknown) => Metric | null,
): (row: AvroRow) => ReadonlyMap<FieldId, Metric> {
  if (field === null) return () => noMetrics;
  const pair = new RowFields(recordTypeOf(field));
  const [key, value] = [pair.require(-1, 'key'), pair.require(-1, 'value')];
  return (row) => {
    const list = field.listOrNull(row);
    if (list === null || list.length === 0) return noMetrics;
    const metrics = new Map<FieldId, Metric>();
    for (const item of list) {
      if (!Array.isArray(item)) throw corrupt('metrics without a key');
      const metric = metricOf(value.value(item));
      if (metric !== null) metrics.set(fieldId(key.count(item)), metric);
    }
    return metrics;
  };
}

function countOf(value: unknown): number | null {
  const count = typeof value === 'bigint' || typeof value === 'number' ? Number(value) : -1;
  return Number.isSafeInteger(count) && count >= 0 ? count : null;
}

const bytesOf = (value: unknown): Uint8Array | null => (value instanceof Uint8Array ? value : null);

function offsetOf(value: unknown): number {
  const offset = countOf(value);
  if (offset === null) throw corrupt('a split offset that is no position in a file');
  return offset;
}

const corrupt = (problem: string): ServiceError => new ServiceError('CORRUPT_FILE', `a manifest has ${problem}`);
