import { z } from 'zod';
import { type ColumnPath, formatColumnPath, parseColumnPath } from '../../core/column-path.ts';
import { ServiceError } from '../../core/errors.ts';
import { parseTableIdentifier, tableIdentifier } from '../../core/identifier.ts';
import { defaultLimits } from '../../core/limits.ts';
import type { FilterSource, PutRequest, ScanRequest, TableVersion } from '../../core/requests.ts';
import type { JsonObject, StrictJson } from '../../core/strict-json.ts';
import {
  filter,
  flag,
  oneOf,
  parseRequest,
  parseSnapshotId,
  type RequestLimits,
  refName,
  refuseReserved,
  text,
  wholeNumber,
} from './request-shape.ts';
import { parseTimestamp } from './timestamp.ts';
import type { FlightDescriptor } from './wire/messages.ts';

const reservedScanFields = ['epoch', 'lease'] as const;
const labelCharsMax = 256;
const partitionFieldsMax = 100;

const label = (): z.ZodString => {
  const error = `must be a string of at most ${labelCharsMax} characters`;
  return z.string({ error }).max(labelCharsMax, { error });
};

const scanShape = (limits: RequestLimits) =>
  z.strictObject({
    table: text('must be a table name such as "silver.flights"'),
    at: z
      .strictObject(
        {
          snapshot_id: text('must be a decimal string').optional(),
          ref: refName().optional(),
          timestamp: text('must be an RFC 3339 timestamp with a zone').optional(),
        },
        { error: unlessUnknown('must be an object with one of "snapshot_id", "ref", "timestamp"') },
      )
      .optional(),
    columns: z
      .array(text('must be a column path'), { error: 'must be a list of column paths' })
      .min(1, { error: 'must name a column; leave it out to mean all' })
      .max(limits.requestColumnsMax, { error: `must name at most ${limits.requestColumnsMax} columns` })
      .optional(),
    filter: filter(limits.filterCharsMax).optional(),
    limit: wholeNumber(0, Number.MAX_SAFE_INTEGER).optional(),
    shards: wholeNumber(1, limits.shardsMax).default(1),
    batch_rows: wholeNumber(1, limits.batchRowsMax).optional(),
    ordered: flag().default(false),
    compression: oneOf(['none', 'lz4', 'zstd']).default('none'),
    dictionaries: flag().default(false),
    run: z
      .strictObject(
        { id: label().optional(), workload: label().optional(), code_version: label().optional() },
        { error: unlessUnknown('must be an object with "id", "workload", "code_version"') },
      )
      .optional(),
    epoch: z.unknown().optional(),
    lease: z.unknown().optional(),
  });

const putShape = (limits: RequestLimits) =>
  z.strictObject({
    table: text('must be a table name such as "bronze.flights"'),
    mode: oneOf(['create', 'append', 'overwrite']),
    overwrite_filter: filter(limits.filterCharsMax).optional(),
    partition_by: z
      .array(text('must be a transform such as "month(date)"'), { error: 'must be a list of transforms' })
      .max(partitionFieldsMax, { error: `must name at most ${partitionFieldsMax} transforms` })
      .optional(),
    format_version: wholeNumber(1, 3).optional(),
    branch: refName().default('main'),
    idempotency_key: z.guid({ error: 'must be a UUID' }).optional(),
  });

/** A message for a wrong type that leaves the message for unknown names to the caller. */
function unlessUnknown(error: string): z.core.$ZodErrorMap {
  return (issue) => (issue.code === 'unrecognized_keys' ? undefined : error);
}

const scanFields = {
  '': Object.keys(scanShape(defaultLimits).shape),
  at: ['snapshot_id', 'ref', 'timestamp'],
  run: ['id', 'workload', 'code_version'],
};
const putFields = { '': Object.keys(putShape(defaultLimits).shape) };

/** Reads what a scan's descriptor asks for: JSON in `cmd`, or the path of a table, which means all of `main`. */
export function parseScanDescriptor(descriptor: FlightDescriptor, limits: RequestLimits): ScanRequest {
  if (descriptor.kind === 'cmd') return parseScanRequest(descriptor.cmd, limits);
  return {
    table: tableIdentifier(descriptor.path),
    at: { kind: 'ref', ref: 'main' },
    columns: null,
    filter: null,
    limit: null,
    shards: 1,
    batchRows: null,
    ordered: false,
    compression: 'none',
    dictionaries: false,
    run: null,
  };
}

/** Reads a scan request's JSON. Throws INVALID_REQUEST, LIMIT_EXCEEDED, or UNSUPPORTED_FEATURE for a reserved field. */
export function parseScanRequest(bytes: Uint8Array, limits: RequestLimits): ScanRequest {
  const what = 'scan request';
  const { value, json } = parseRequest(bytes, scanShape(limits), { what, known: scanFields, limits });
  refuseReserved(json.value as JsonObject, reservedScanFields, what);
  return {
    table: parseTableIdentifier(value.table),
    at: tableVersion(value.at, what),
    columns: value.columns === undefined ? null : columnPaths(value.columns, limits.schemaDepthMax),
    filter: filterSource(value.filter, 'filter', json),
    limit: value.limit ?? null,
    shards: value.shards,
    batchRows: value.batch_rows ?? null,
    ordered: value.ordered,
    compression: value.compression,
    dictionaries: value.dictionaries,
    run:
      value.run === undefined
        ? null
        : {
            id: value.run.id ?? null,
            workload: value.run.workload ?? null,
            codeVersion: value.run.code_version ?? null,
          },
  };
}

/** Reads what a write's descriptor asks for: only `cmd`, because a path does not say what to do with the rows. */
export function parsePutDescriptor(descriptor: FlightDescriptor, limits: RequestLimits): PutRequest {
  if (descriptor.kind === 'cmd') return parsePutRequest(descriptor.cmd, limits);
  throw new ServiceError(
    'INVALID_REQUEST',
    'a write needs a descriptor with a command such as {"table": "bronze.flights", "mode": "append"}, not a path',
  );
}

/** Reads a put request's JSON. Throws INVALID_REQUEST, LIMIT_EXCEEDED, or UNSUPPORTED_FEATURE for a format version not written. */
export function parsePutRequest(bytes: Uint8Array, limits: RequestLimits): PutRequest {
  const what = 'put request';
  const { value, json } = parseRequest(bytes, putShape(limits), { what, known: putFields, limits });
  const onlyWith = (mode: string, field: 'overwrite_filter' | 'partition_by' | 'format_version'): void => {
    if (value[field] !== undefined && value.mode !== mode) {
      throw new ServiceError('INVALID_REQUEST', `the ${what}: "${field}" goes only with mode "${mode}"`);
    }
  };
  onlyWith('overwrite', 'overwrite_filter');
  onlyWith('create', 'partition_by');
  onlyWith('create', 'format_version');
  if (value.format_version !== undefined && value.format_version !== 2) {
    throw new ServiceError('UNSUPPORTED_FEATURE', `the ${what}: tables are written in format version 2 only`);
  }
  return {
    table: parseTableIdentifier(value.table),
    mode: value.mode,
    overwriteFilter: filterSource(value.overwrite_filter, 'overwrite_filter', json),
    partitionBy: value.partition_by ?? [],
    formatVersion: value.format_version ?? null,
    branch: value.branch,
    idempotencyKey: value.idempotency_key?.toLowerCase() ?? null,
  };
}

interface VersionFields {
  readonly snapshot_id?: string | undefined;
  readonly ref?: string | undefined;
  readonly timestamp?: string | undefined;
}

function tableVersion(at: VersionFields | undefined, what: string): TableVersion {
  if (at === undefined) return { kind: 'ref', ref: 'main' };
  const given = [at.snapshot_id, at.ref, at.timestamp].filter((value) => value !== undefined);
  if (given.length !== 1) {
    throw new ServiceError(
      'INVALID_REQUEST',
      `the ${what}: "at" must have exactly one of "snapshot_id", "ref", "timestamp"`,
    );
  }
  if (at.snapshot_id !== undefined) return { kind: 'snapshot', snapshotId: parseSnapshotId(at.snapshot_id) };
  if (at.ref !== undefined) return { kind: 'ref', ref: at.ref };
  return { kind: 'timestamp', epochMicros: parseTimestamp(at.timestamp!), text: at.timestamp! };
}

function columnPaths(texts: readonly string[], depthMax: number): readonly ColumnPath[] {
  const paths = texts.map((path) => parseColumnPath(path));
  const asked = new Set<string>();
  for (const path of paths) {
    if (path.length > depthMax) {
      throw new ServiceError('INVALID_REQUEST', `a column path has at most ${depthMax} parts`);
    }
    const name = formatColumnPath(path);
    if (asked.has(name)) throw new ServiceError('INVALID_REQUEST', `the column ${name} is asked for twice`);
    asked.add(name);
  }
  for (const path of paths) {
    for (let parts = 1; parts < path.length; parts++) {
      const parent = formatColumnPath(path.slice(0, parts));
      if (asked.has(parent)) {
        throw new ServiceError(
          'INVALID_REQUEST',
          `the column ${parent} already holds ${formatColumnPath(path)}: ask for one of them`,
        );
      }
    }
  }
  return paths;
}

function filterSource(value: unknown, name: string, json: StrictJson): FilterSource | null {
  if (value === undefined) return null;
  return typeof value === 'string'
    ? { kind: 'text', text: value }
    : { kind: 'json', text: json.memberSource(name) ?? '' };
}
