import { ServiceError } from '../../core/errors.ts';
import { type SnapshotId, snapshotId } from '../../core/ids.ts';
import type { Limits } from '../../core/limits.ts';
import type { AvroCodec } from '../avro/codecs.ts';
import { type AvroLimits, type AvroRecord, type AvroRow, readAvro, writeAvro } from './avro.ts';
import { manifestListSchema } from './avro-schemas.ts';
import { RowFields, recordTypeOf } from './row.ts';
import type { FieldSummary, ManifestFile } from './types.ts';

/**
 * Reads a manifest list of any format version (table spec, "Manifest Lists"). What v1 leaves out reads as the spec says: content
 * data, sequence numbers 0; a missing added snapshot id is that of `snapshot`. Throws CORRUPT_FILE, and LIMIT_EXCEEDED for more
 * than `manifestsMax` manifests.
 */
export function readManifestList(
  bytes: Uint8Array,
  snapshot: { readonly snapshotId: SnapshotId; readonly sequenceNumber: bigint },
  limits: AvroLimits & Pick<Limits, 'manifestsMax'>,
): ManifestFile[] {
  const { type, rows } = readAvro(bytes, limits);
  const fields = new RowFields(type);
  const path = fields.require(500, 'manifest_path');
  const length = fields.require(501, 'manifest_length');
  const specId = fields.require(502, 'partition_spec_id');
  const content = fields.find(517, 'content');
  const sequence = fields.find(515, 'sequence_number');
  const minSequence = fields.find(516, 'min_sequence_number');
  const addedSnapshot = fields.find(503, 'added_snapshot_id');
  const addedFiles = fields.find(504, 'added_files_count');
  const existingFiles = fields.find(505, 'existing_files_count');
  const deletedFiles = fields.find(506, 'deleted_files_count');
  const addedRows = fields.find(512, 'added_rows_count');
  const existingRows = fields.find(513, 'existing_rows_count');
  const deletedRows = fields.find(514, 'deleted_rows_count');
  const partitions = fields.find(507, 'partitions');
  const readSummary = partitions === null ? null : summaryReader(new RowFields(recordTypeOf(partitions)));
  const keyMetadata = fields.find(519, 'key_metadata');
  const firstRowId = fields.find(520, 'first_row_id');

  const manifests: ManifestFile[] = [];
  for (const row of rows) {
    if (manifests.length === limits.manifestsMax) {
      throw new ServiceError('LIMIT_EXCEEDED', `a snapshot has more than ${limits.manifestsMax} manifests`);
    }
    if ((keyMetadata?.bytesOrNull(row) ?? null) !== null) {
      throw new ServiceError('UNSUPPORTED_FEATURE', 'encrypted manifests are not supported');
    }
    const kind = content?.countOrNull(row) ?? 0;
    if (kind > 1)
      throw new ServiceError('CORRUPT_FILE', `a manifest list has content ${kind}, which is neither data nor deletes`);
    manifests.push({
      path: path.string(row),
      bytes: length.count(row),
      specId: specId.count(row),
      content: kind === 0 ? 'data' : 'deletes',
      sequenceNumber: sequence?.longOrNull(row) ?? 0n,
      minSequenceNumber: minSequence?.longOrNull(row) ?? 0n,
      addedSnapshotId: snapshotId(addedSnapshot?.longOrNull(row) ?? snapshot.snapshotId),
      addedFiles: addedFiles?.countOrNull(row) ?? null,
      existingFiles: existingFiles?.countOrNull(row) ?? null,
      deletedFiles: deletedFiles?.countOrNull(row) ?? null,
      addedRows: addedRows?.longOrNull(row) ?? null,
      existingRows: existingRows?.longOrNull(row) ?? null,
      deletedRows: deletedRows?.longOrNull(row) ?? null,
      partitions: readSummary === null ? null : (partitions!.listOrNull(row)?.map(readSummary) ?? null),
      firstRowId: firstRowId?.longOrNull(row) ?? null,
    });
  }
  return manifests;
}

function summaryReader(fields: RowFields): (value: unknown) => FieldSummary {
  const containsNull = fields.require(509, 'contains_null');
  const containsNan = fields.find(518, 'contains_nan');
  const lower = fields.find(510, 'lower_bound');
  const upper = fields.find(511, 'upper_bound');
  return (value) => {
    if (!Array.isArray(value)) throw new ServiceError('CORRUPT_FILE', 'a manifest list has an empty partition summary');
    const row: AvroRow = value;
    return {
      // Where the writer did not say, there may be nulls: nothing is pruned by a guess.
      containsNull: containsNull.booleanOrNull(row) ?? true,
      containsNan: containsNan?.booleanOrNull(row) ?? null,
      lowerBound: lower?.bytesOrNull(row) ?? null,
      upperBound: upper?.bytesOrNull(row) ?? null,
    };
  };
}

export interface ManifestListHeader {
  readonly snapshotId: SnapshotId;
  readonly parentSnapshotId: SnapshotId | null;
  readonly sequenceNumber: bigint;
  readonly formatVersion: 1 | 2;
}

/**
 * A manifest list's bytes. Every manifest must have its counts, which v2 requires (`countManifest` gets those that a v1 writer left
 * out). Throws UNSUPPORTED_FEATURE for delete manifests in v1.
 */
export function writeManifestList(
  header: ManifestListHeader,
  manifests: readonly ManifestFile[],
  codec: AvroCodec = 'deflate',
): Uint8Array {
  const { formatVersion } = header;
  const metadata = new Map([
    ['snapshot-id', `${header.snapshotId}`],
    ['parent-snapshot-id', `${header.parentSnapshotId}`],
    ...(formatVersion > 1 ? [['sequence-number', `${header.sequenceNumber}`] as const] : []),
    ['format-version', `${formatVersion}`],
  ]);
  const rows = manifests.map((manifest) => manifestToRow(manifest, formatVersion));
  return writeAvro(manifestListSchema(formatVersion), metadata, rows, { codec });
}

function manifestToRow(manifest: ManifestFile, formatVersion: 1 | 2): AvroRecord {
  if (formatVersion === 1 && manifest.content === 'deletes') {
    throw new ServiceError('UNSUPPORTED_FEATURE', 'a table of format version 1 cannot hold delete manifests');
  }
  return {
    manifest_path: manifest.path,
    manifest_length: BigInt(manifest.bytes),
    partition_spec_id: manifest.specId,
    content: manifest.content === 'data' ? 0 : 1,
    sequence_number: manifest.sequenceNumber,
    min_sequence_number: manifest.minSequenceNumber,
    added_snapshot_id: manifest.addedSnapshotId as bigint,
    added_files_count: manifest.addedFiles,
    existing_files_count: manifest.existingFiles,
    deleted_files_count: manifest.deletedFiles,
    added_rows_count: manifest.addedRows,
    existing_rows_count: manifest.existingRows,
    deleted_rows_count: manifest.deletedRows,
    partitions: manifest.partitions?.map(summaryToRow) ?? null,
    key_metadata: null,
  };
}

const summaryToRow = (summary: FieldSummary): AvroRecord => ({
  contains_null: summary.containsNull,
  contains_nan: summary.containsNan,
  lower_bound: bufferOf(summary.lowerBound),
  upper_bound: bufferOf(summary.upperBound),
});

const bufferOf = (bytes: Uint8Array | null): Buffer | null => (bytes === null ? null : Buffer.from(bytes));
