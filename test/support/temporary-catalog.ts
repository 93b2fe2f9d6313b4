import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Catalog, type CatalogOptions, openCatalog } from '../../src/catalog/catalog.ts';
import type { TableUpdate } from '../../src/catalog/metadata/commit-types.ts';
import type { TableMetadata } from '../../src/catalog/metadata/types.ts';
import type { Schema } from '../../src/catalog/schema/types.ts';
import { openSqliteStore } from '../../src/catalog/store/sqlite-store.ts';
import { parseTableIdentifier } from '../../src/core/identifier.ts';
import { fieldId, snapshotId } from '../../src/core/ids.ts';
import { openLocalStore } from '../../src/storage/local.ts';
import { fileLocation } from '../../src/storage/locations.ts';

export const signal = new AbortController().signal;
export const flights = parseTableIdentifier('bronze.flights');

export const flightsSchema: Schema = {
  schemaId: 0,
  identifierFieldIds: [],
  fields: [
    { id: fieldId(1), name: 'id', required: true, type: { kind: 'long' } },
    { id: fieldId(2), name: 'origin', required: false, type: { kind: 'string' } },
  ],
};

export interface TemporaryCatalog extends AsyncDisposable {
  readonly catalog: Catalog;
  readonly folder: string;
}

/** A catalog over real files in a folder of its own, with the namespace `bronze`. The same folder may be opened several times. */
export async function openTemporaryCatalog(
  given: Partial<CatalogOptions> & { readonly folder?: string } = {},
): Promise<TemporaryCatalog> {
  const folder = given.folder ?? (await mkdtemp(join(tmpdir(), 'headrace-catalog-')));
  const store = await openSqliteStore({ path: join(folder, 'catalog.db') });
  const objects = openLocalStore();
  const catalog = openCatalog({ store, objects, warehouse: fileLocation(join(folder, 'warehouse')), ...given });
  if (given.folder === undefined) await catalog.createNamespace(['bronze']);
  return {
    catalog,
    folder,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await objects[Symbol.asyncDispose]();
      if (given.folder === undefined) await rm(folder, { recursive: true });
    },
  };
}

/** Updates that append a snapshot to `main`; its manifest list is a name only. */
export function appendUpdates(
  metadata: TableMetadata,
  id: bigint,
  summary: Record<string, string> = {},
): TableUpdate[] {
  const parent = metadata.currentSnapshotId;
  return [
    {
      kind: 'add-snapshot',
      snapshot: {
        snapshotId: snapshotId(id),
        parentSnapshotId: parent,
        sequenceNumber: metadata.lastSequenceNumber + 1n,
        timestampMs: Math.max(Date.now(), metadata.lastUpdatedMs),
        manifestList: `${metadata.location}/metadata/snap-${id}.avro`,
        manifests: [],
        summary: new Map(Object.entries({ operation: 'append', ...summary })),
        schemaId: metadata.currentSchemaId,
        firstRowId: null,
        rest: new Map(),
      },
    },
    {
      kind: 'set-snapshot-ref',
      name: 'main',
      ref: {
        snapshotId: snapshotId(id),
        type: 'branch',
        minSnapshotsToKeep: null,
        maxSnapshotAgeMs: null,
        maxRefAgeMs: null,
      },
    },
  ];
}
