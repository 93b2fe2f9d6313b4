import { throwIfCancelled } from '../../core/cancellation.ts';
import { ServiceError } from '../../core/errors.ts';
import type { FieldId } from '../../core/ids.ts';
import type { Limits } from '../../core/limits.ts';
import type { Pace } from '../../core/pace.ts';
import { openContainer } from '../avro/container.ts';
import { AvroCursor } from '../avro/cursor.ts';
import type { AvroRecordType, AvroType } from '../avro/schema.ts';
import { type Skipper, skipperOf } from '../avro/skip.ts';
import { ColumnBuilder } from './column-builder.ts';
import type { ReadColumns } from './columns.ts';
import { dataFileSteps } from './data-file-steps.ts';
import { longOf, type Step } from './field-steps.ts';
import { expectedEntries, type ManifestLimits, type ManifestTypes, requireEntries } from './manifest.ts';
import { RowFields, recordTypeOf } from './row.ts';
import type { ManifestFile } from './types.ts';

export type ColumnLimits = ManifestLimits & Pick<Limits, 'manifestDecodedBytesMax'>;

export interface ColumnRequest {
  /** The manifest's row of the list. Its content must be data. */
  readonly file: ManifestFile;
  readonly types: ManifestTypes;
  /** The fields whose statistics are wanted; all others are passed over unread. */
  readonly metricsOf: Iterable<FieldId>;
  readonly limits: ColumnLimits;
  readonly pace: Pace;
  /** Looked at whenever the reader gives way. */
  readonly signal: AbortSignal;
}

// About 2 ms at 4 µs a row with its statistics.
const rowsBetweenPauses = 512;

/**
 * The live files of a data manifest of any format version, straight from its Avro bytes into columns. The same files as `readManifest`
 * gives, and the same errors: CORRUPT_FILE, UNSUPPORTED_FEATURE for formats that are not known, LIMIT_EXCEEDED.
 */
export async function readManifestColumns(bytes: Uint8Array, request: ColumnRequest): Promise<ReadColumns> {
  const { file, limits } = request;
  const { type, blocks } = openContainer(bytes, limits);
  if (type.kind !== 'record') throw corrupt('rows that are not records');
  const capacity = Math.min(expectedEntries(file) ?? 0, limits.manifestEntriesMax, bytes.length) + 1;
  const builder = new ColumnBuilder(request.metricsOf, { capacity, bytesMax: limits.manifestDecodedBytesMax });
  const readEntry = entryReader(type, builder, request);
  let entries = 0;
  let decoded = 0;
  for (const block of blocks) {
    decoded += block.bytes.length;
    if (decoded > limits.manifestDecodedBytesMax) {
      throw new ServiceError(
        'LIMIT_EXCEEDED',
        `a manifest decompresses to more than ${limits.manifestDecodedBytesMax} bytes`,
      );
    }
    if (block.rows > limits.manifestEntriesMax - entries) {
      throw new ServiceError('LIMIT_EXCEEDED', `a manifest has more than ${limits.manifestEntriesMax} entries`);
    }
    const cursor = new AvroCursor(block.bytes);
    for (let row = 1; row <= block.rows; row++) {
      readEntry(cursor);
      if (++entries % rowsBetweenPauses === 0) await giveWay(request);
    }
    if (cursor.left > 0) throw corrupt('bytes after the last row of a block');
    await giveWay(request);
  }
  requireEntries(file, entries);
  return builder.finish();
}

async function giveWay({ pace, signal }: ColumnRequest): Promise<void> {
  if (!pace.isDue) return;
  await pace.giveWay();
  throwIfCancelled(signal);
}

const deleted = 2;

/** Reads one entry into the builder's current row and keeps it if it is live. */
function entryReader(type: AvroRecordType, builder: ColumnBuilder, { file, types, limits }: ColumnRequest): Step {
  const fields = new RowFields(type);
  const status = fields.require(0, 'status');
  const sequence = fields.find(3, 'sequence_number');
  const dataFile = fields.require(2, 'data_file');
  const entry = { status: 0, hasSequence: false };
  const readStatus = longOf(type.fields[status.at]!.type, 'status');
  const steps: Step[] = type.fields.map((field) => skipperOf(field.type));
  steps[status.at] = (cursor) => {
    entry.status = readStatus(cursor) ?? -1;
  };
  if (sequence !== null) steps[sequence.at] = presence(type.fields[sequence.at]!.type, entry);
  steps[dataFile.at] = dataFileSteps(recordTypeOf(dataFile), type.fields[dataFile.at]!.type, builder, {
    types,
    valuesMax: limits.avroRowValuesMax,
  });
  const inheritsAlways = file.sequenceNumber === 0n;
  return (cursor) => {
    entry.hasSequence = false;
    for (const step of steps) step(cursor);
    if (entry.status !== 0 && entry.status !== 1 && entry.status !== deleted)
      throw corrupt('an entry without a status');
    if (!entry.hasSequence && entry.status !== 1 && !inheritsAlways) {
      throw corrupt('an entry that was not added by it and has no sequence number');
    }
    if (entry.status === deleted) builder.drop();
    else builder.keep();
  };
}

/** Notes whether an optional value is there. */
function presence(type: AvroType, entry: { hasSequence: boolean }): Step {
  const skips: readonly [Skipper, boolean][] = (type.kind === 'union' ? type.branches : [type]).map((branch) => [
    skipperOf(branch),
    branch.kind !== 'null',
  ]);
  return (cursor) => {
    const [skip, isThere] = skips[type.kind === 'union' ? cursor.index(skips.length) : 0]!;
    skip(cursor);
    entry.hasSequence = isThere;
  };
}

const corrupt = (problem: string): ServiceError => new ServiceError('CORRUPT_FILE', `a manifest has ${problem}`);
