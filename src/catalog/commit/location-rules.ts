import { ServiceError } from '../../core/errors.ts';
import { isWithin, parseLocation } from '../../storage/locations.ts';
import type { TableUpdate } from '../metadata/commit-types.ts';

/** Properties that tell a writer where to put files. */
const pathProperties: readonly string[] = [
  'write.data.path',
  'write.metadata.path',
  'write.object-storage.path',
  'write.folder-storage.path',
];
/** Properties that engines take as the configuration of their file access: with one, a writer could redirect other readers. */
const fileAccessPattern = /^(s3|s3a|gs|gcs|adls|abfs|hdfs|oss|client|rest)\.|^(py-)?io-impl$/;

/**
 * Refuses updates by which a writer could make the table reach files that are not its own: policy is decided per table, so a
 * snapshot of another table's files would read them under this table's policy. `base` is its location, null for a new
 * table; `set-location` is for {@link checkTableLocation}. Throws INVALID_REQUEST.
 */
export function checkUpdateLocations(base: string | null, updates: readonly TableUpdate[]): void {
  let location = base ?? '';
  for (const update of updates) {
    switch (update.kind) {
      case 'set-location':
        location = update.location;
        break;
      case 'add-snapshot': {
        const { snapshotId, manifestList, manifests } = update.snapshot;
        if (manifestList !== null) checkWithin(location, manifestList, `the manifest list of snapshot ${snapshotId}`);
        for (const manifest of manifests) checkWithin(location, manifest, `a manifest of snapshot ${snapshotId}`);
        break;
      }
      case 'set-statistics':
      case 'set-partition-statistics':
        checkWithin(location, String(update.statistics['statistics-path']), 'a statistics file');
        break;
      case 'set-properties':
        checkProperties(location, update.updates);
        break;
      default:
    }
  }
}

function checkProperties(location: string, properties: ReadonlyMap<string, string>): void {
  for (const [name, value] of properties) {
    if (fileAccessPattern.test(name)) {
      throw new ServiceError(
        'INVALID_REQUEST',
        `the property ${name} configures file access and cannot be kept on a table`,
      );
    }
    if (pathProperties.includes(name)) checkWithin(location, value, `the property ${name}`);
  }
}

function checkWithin(location: string, inner: string, what: string): void {
  if (!isWithin(location, inner)) {
    throw new ServiceError('INVALID_REQUEST', `${what} must lie below the location of the table`, { cause: inner });
  }
}

/**
 * Refuses a location for a table that lies outside the warehouse, is the warehouse itself, or overlaps another table's;
 * `others` are the metadata locations of the other tables. Throws INVALID_REQUEST.
 */
export function checkTableLocation(location: string, warehouse: string, others: Iterable<string>): void {
  if (!isWithin(warehouse, location) || isWithin(location, warehouse)) {
    throw new ServiceError('INVALID_REQUEST', 'the location of a table must lie below the warehouse', {
      cause: location,
    });
  }
  checkNoOverlap(location, others);
}

/** Two tables in one folder would be governed by the policy of either. Throws INVALID_REQUEST. */
export function checkNoOverlap(location: string, others: Iterable<string>): void {
  for (const other of others) {
    const folder = other.replace(/\/(metadata\/)?[^/]*$/, '');
    if (isWithin(location, other) || isWithin(folder, location)) {
      throw new ServiceError('INVALID_REQUEST', 'the location of the table overlaps that of another table', {
        cause: other,
      });
    }
  }
}

/**
 * A location below the warehouse that nobody can guess, so that no second table and no policy by path ever meets it. Only characters
 * that every engine reads the same in a path are kept of the names.
 */
export function newTableLocation(warehouse: string, parts: readonly string[], uuid: string): string {
  const segments = parts.map((part) => part.replace(/[^A-Za-z0-9_-]/g, '_'));
  const location = `${warehouse.replace(/\/+$/, '')}/${segments.join('/')}-${uuid}`;
  parseLocation(location);
  return location;
}
