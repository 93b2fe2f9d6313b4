import { createHash } from 'node:crypto';
import { parseJson } from '../../catalog/metadata/big-json.ts';
import { type At, resolveSnapshot, schemaAt } from '../../catalog/metadata/time-travel.ts';
import type { TableMetadata } from '../../catalog/metadata/types.ts';
import { parseFilterJson } from '../../core/expression/json.ts';
import { parseFilter } from '../../core/expression/parse.ts';
import type { Expression } from '../../core/expression.ts';
import { type SnapshotId, snapshotId } from '../../core/ids.ts';
import type { Limits } from '../../core/limits.ts';
import type { FilterSource, ScanRequest, TableVersion } from '../../core/requests.ts';

/**
 * What a scan reads, with the snapshot and the schema settled: the part of a request that a ticket carries and that, together with
 * the policy's decision, determines every row of the stream.
 */
export interface ScanTerms {
  readonly snapshotId: SnapshotId | null;
  readonly schemaId: number;
  readonly columns: readonly (readonly string[])[] | null;
  readonly filter: FilterSource | null;
  readonly limit: number | null;
}

/** Settles what a request means today. Throws NOT_FOUND for an unknown snapshot, ref or time. */
export function settleTerms(request: ScanRequest, metadata: TableMetadata): ScanTerms {
  const at = atOf(request.at);
  const snapshot = resolveSnapshot(metadata, at);
  return {
    snapshotId: snapshot?.snapshotId ?? null,
    schemaId: schemaAt(metadata, at, snapshot).schemaId,
    columns: request.columns,
    filter: request.filter,
    limit: request.limit,
  };
}

function atOf(version: TableVersion): At {
  switch (version.kind) {
    case 'ref':
      return version.ref === 'main' ? { kind: 'main' } : { kind: 'ref', name: version.ref };
    case 'snapshot':
      return { kind: 'snapshot', id: version.snapshotId };
    case 'timestamp': {
      // The log has milliseconds: a snapshot of this very millisecond counts as there.
      const ms = version.epochMicros / 1000n;
      return {
        kind: 'timestamp',
        ms: Number(version.epochMicros < 0n && version.epochMicros % 1000n !== 0n ? ms - 1n : ms),
      };
    }
    default:
      return version satisfies never;
  }
}

/** Throws INVALID_FILTER for what is not a filter. */
export function parseFilterSource(filter: FilterSource | null, limits: Limits): Expression | null {
  if (filter === null) return null;
  return filter.kind === 'text' ? parseFilter(filter.text, limits) : parseFilterJson(parseJson(filter.text), limits);
}

/** As JSON, for tickets. */
export const termsToJson = (terms: ScanTerms): object => ({
  ...terms,
  snapshotId: terms.snapshotId?.toString() ?? null,
});

/** Reads what {@link termsToJson} wrote; a ticket is sealed, so its content is trusted. */
export function termsFromJson(json: object): ScanTerms {
  const terms = json as Omit<ScanTerms, 'snapshotId'> & { readonly snapshotId: string | null };
  return { ...terms, snapshotId: terms.snapshotId === null ? null : snapshotId(BigInt(terms.snapshotId)) };
}

/** Equal digests mean the same rows in the same order: table, snapshot, request and decision. */
export function planDigest(uuid: string, terms: ScanTerms, policyDigest: string): string {
  return createHash('sha256')
    .update(JSON.stringify([uuid, termsToJson(terms), policyDigest]))
    .digest('base64url');
}

/** Equal digests mean the same table, snapshot and request, whatever is decided of them. */
export const termsDigest = (uuid: string, terms: ScanTerms): string => planDigest(uuid, terms, '');
