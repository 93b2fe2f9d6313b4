import { ServiceError } from '../../core/errors.ts';
import type { FieldId, SnapshotId } from '../../core/ids.ts';
import type { AvroCodec } from '../avro/codecs.ts';
import { stringifyJson } from '../metadata/big-json.ts';
import { partitionFieldTypes, partitionSpecToJson } from '../partition/spec.ts';
import type { PartitionSpec } from '../partition/types.ts';
import { schemaToJson } from '../schema/json.ts';
import type { PrimitiveType, Schema, Value } from '../schema/types.ts';
import { compareValues, encodeValue } from '../schema/value.ts';
import { type AvroRecord, writeAvro } from './avro.ts';
import { manifestEntrySchema } from './avro-schemas.ts';
import { partitionSchema, partitionToAvro } from './partition-avro.ts';
import type { DataFile, FieldSummary, ManifestEntry, ManifestFile } from './types.ts';

/** What a new manifest belongs to. */
export interface ManifestContext {
  /** The current schema first, older ones for columns since dropped: the first goes into the header. */
  readonly schemas: readonly [Schema, ...Schema[]];
  readonly spec: PartitionSpec;
  readonly content: 'data';
  /** The snapshot that the manifest is written for, and its sequence number (0 in v1). */
  readonly snapshotId: SnapshotId;
  readonly sequenceNumber: bigint;
  readonly formatVersion: 1 | 2;
  readonly codec?: AvroCodec;
}

export interface WrittenManifest {
  readonly bytes: Uint8Array;
  readonly summary: Omit<ManifestFile, 'path'>;
}

// Version 1 readers divide files by it; Iceberg's own writers put 64 MB.
const blockBytesV1 = 64n << 20n;

/**
 * A manifest's bytes and its row for the manifest list (table spec, "Manifests"). Added entries leave their sequence numbers to be
 * inherited; existing and deleted ones keep theirs. Throws SCHEMA_MISMATCH where a partition value is not of the spec's type.
 */
export function writeManifest(context: ManifestContext, entries: readonly ManifestEntry[]): WrittenManifest {
  const { schemas, spec, formatVersion } = context;
  const types = partitionFieldTypes(spec, schemas);
  const metadata = new Map([
    ['schema', stringifyJson(schemaToJson(schemas[0]))],
    ['schema-id', `${schemas[0].schemaId}`],
    ['partition-spec', stringifyJson((partitionSpecToJson(spec) as { readonly fields: unknown }).fields)],
    ['partition-spec-id', `${spec.specId}`],
    ['format-version', `${formatVersion}`],
    ...(formatVersion > 1 ? [['content', context.content] as const] : []),
  ]);
  const partition = partitionSchema(spec, types);
  const names = (partition as { readonly fields: readonly { readonly name: string }[] }).fields.map(({ name }) => name);
  const rows = entries.map((entry) => entryToRow(entry, context, (file) => partitionToRow(file, names, types)));
  const options = context.codec === undefined ? {} : { codec: context.codec };
  const bytes = writeAvro(manifestEntrySchema(partition, formatVersion), metadata, rows, options);
  return { bytes, summary: summarize(context, types, entries, bytes.length) };
}

const statusNumbers = { existing: 0, added: 1, deleted: 2 } as const;

function entryToRow(
  { status, snapshotId, sequenceNumber, fileSequenceNumber, file }: ManifestEntry,
  context: ManifestContext,
  partitionOf: (file: DataFile) => AvroRecord,
): AvroRecord {
  if (file.content !== context.content || file.specId !== context.spec.specId) {
    throw new ServiceError('INTERNAL', 'a manifest was given a file of another content or partition spec');
  }
  const inherits = status === 'added' && sequenceNumber === context.sequenceNumber;
  const { metrics } = file;
  return {
    status: statusNumbers[status],
    snapshot_id: snapshotId as bigint,
    sequence_number: inherits ? null : sequenceNumber,
    file_sequence_number: inherits ? null : fileSequenceNumber,
    data_file: {
      content: 0,
      file_path: file.path,
      file_format: file.format.toUpperCase(),
      partition: partitionOf(file),
      record_count: BigInt(file.rows),
      file_size_in_bytes: BigInt(file.bytes),
      block_size_in_bytes: blockBytesV1,
      column_sizes: pairsOf(metrics.columnBytes, BigInt),
      value_counts: pairsOf(metrics.valueCounts, BigInt),
      null_value_counts: pairsOf(metrics.nullCounts, BigInt),
      nan_value_counts: pairsOf(metrics.nanCounts, BigInt),
      lower_bounds: pairsOf(metrics.lowerBounds, Buffer.from),
      upper_bounds: pairsOf(metrics.upperBounds, Buffer.from),
      key_metadata: restBytes(file, 'key_metadata'),
      split_offsets: file.splitOffsets.length === 0 ? null : file.splitOffsets.map(BigInt),
      equality_ids: null,
      sort_order_id: file.sortOrderId,
    },
  };
}

function pairsOf<Metric, Avro>(
  metrics: ReadonlyMap<FieldId, Metric>,
  toAvro: (metric: Metric) => Avro,
): readonly { readonly key: FieldId; readonly value: Avro }[] | null {
  return metrics.size === 0 ? null : [...metrics].map(([key, metric]) => ({ key, value: toAvro(metric) }));
}

function restBytes(file: DataFile, name: string): Buffer | null {
  const value = file.rest.get(name);
  return value instanceof Uint8Array ? Buffer.from(value) : null;
}

function partitionToRow(file: DataFile, names: readonly string[], types: readonly PrimitiveType[]): AvroRecord {
  return Object.fromEntries(names.map((name, at) => [name, partitionToAvro(types[at]!, file.partition[at] ?? null)]));
}

function summarize(
  context: ManifestContext,
  types: readonly PrimitiveType[],
  entries: readonly ManifestEntry[],
  bytes: number,
): WrittenManifest['summary'] {
  const files = { added: 0, existing: 0, deleted: 0 };
  const rows = { added: 0n, existing: 0n, deleted: 0n };
  let minSequenceNumber = context.sequenceNumber;
  for (const { status, sequenceNumber, file } of entries) {
    files[status]++;
    rows[status] += BigInt(file.rows);
    if (status !== 'deleted' && sequenceNumber < minSequenceNumber) minSequenceNumber = sequenceNumber;
  }
  return {
    bytes,
    specId: context.spec.specId,
    content: context.content,
    sequenceNumber: context.sequenceNumber,
    minSequenceNumber,
    addedSnapshotId: context.snapshotId,
    addedFiles: files.added,
    existingFiles: files.existing,
    deletedFiles: files.deleted,
    addedRows: rows.added,
    existingRows: rows.existing,
    deletedRows: rows.deleted,
    partitions: types.map((type, at) =>
      summarizeField(
        type,
        entries.map(({ file }) => file.partition[at] ?? null),
      ),
    ),
    firstRowId: null,
  };
}

function summarizeField(type: PrimitiveType, values: readonly (Value | null)[]): FieldSummary {
  const isFloating = type.kind === 'float' || type.kind === 'double';
  let [containsNull, containsNan] = [false, false];
  let [lower, upper]: [Value | null, Value | null] = [null, null];
  for (const value of values) {
    if (value === null) containsNull = true;
    else if (isFloating && Number.isNaN(value)) containsNan = true;
    else {
      if (lower === null || compareValues(type, value, lower) < 0) lower = value;
      if (upper === null || compareValues(type, value, upper) > 0) upper = value;
    }
  }
  return {
    containsNull,
    containsNan: isFloating ? containsNan : false,
    lowerBound: lower === null ? null : encodeValue(type, lower),
    upperBound: upper === null ? null : encodeValue(type, upper),
  };
}
