import { randomUUID } from 'node:crypto';
import { ServiceError } from '../../core/errors.ts';
import type { TableIdentifier } from '../../core/identifier.ts';
import type { FieldId } from '../../core/ids.ts';
import { applyUpdates, reservedProperties } from '../metadata/apply.ts';
import { lastAdded, type TableUpdate } from '../metadata/commit-types.ts';
import type { TableMetadata } from '../metadata/types.ts';
import { unsorted } from '../partition/sort-order.ts';
import { unpartitioned } from '../partition/spec.ts';
import type { PartitionSpec, SortOrder } from '../partition/types.ts';
import { assignFreshIds } from '../schema/assign-ids.ts';
import type { Schema } from '../schema/types.ts';
import { checkUpdateLocations, newTableLocation } from './location-rules.ts';

export interface TableDefinition {
  /** Numbered anew as Iceberg does; a schema from `assignFreshIds` keeps its ids. */
  readonly schema: Schema;
  /** By the ids of `schema`; partition field ids are given anew. */
  readonly partitionSpec?: PartitionSpec | undefined;
  readonly sortOrder?: SortOrder | undefined;
  readonly properties?: ReadonlyMap<string, string> | undefined;
  /** Default: the property `format-version`, else 2. */
  readonly formatVersion?: number | undefined;
  /** Checked by the caller; default: a new place below the warehouse. */
  readonly location?: string | undefined;
}

/** Java persists this on every new table, because writers' own defaults differ. */
const propertiesInitial: ReadonlyMap<string, string> = new Map([['write.parquet.compression-codec', 'zstd']]);

/** The metadata of a table that does not exist yet. Throws INVALID_REQUEST, UNSUPPORTED_FEATURE for format version 3. */
export function newTableMetadata(
  identifier: TableIdentifier,
  definition: TableDefinition,
  context: { readonly warehouse: string; readonly nowMs: number },
): TableMetadata {
  const uuid = randomUUID();
  const fresh = assignFreshIds(definition.schema);
  const place = [...identifier.namespace, identifier.name];
  const location = definition.location ?? newTableLocation(context.warehouse, place, uuid);
  const given = definition.properties ?? new Map<string, string>();
  const properties = new Map([...propertiesInitial, ...[...given].filter(([name]) => !reservedProperties.has(name))]);
  const updates: TableUpdate[] = [
    { kind: 'assign-uuid', uuid },
    { kind: 'upgrade-format-version', formatVersion: formatVersionOf(definition) },
    { kind: 'set-location', location },
    { kind: 'add-schema', schema: fresh.schema },
    { kind: 'set-current-schema', schemaId: lastAdded },
    { kind: 'add-spec', spec: { fields: freshSpec(definition.partitionSpec ?? unpartitioned, fresh.idMap) } },
    { kind: 'set-default-spec', specId: lastAdded },
    { kind: 'add-sort-order', sortOrder: freshSortOrder(definition.sortOrder ?? unsorted, fresh.idMap) },
    { kind: 'set-default-sort-order', sortOrderId: lastAdded },
    { kind: 'set-properties', updates: properties },
  ];
  checkUpdateLocations(location, updates);
  return applyUpdates(null, updates, { nowMs: context.nowMs });
}

function formatVersionOf({ formatVersion, properties }: TableDefinition): number {
  const text = properties?.get('format-version');
  if (formatVersion !== undefined || text === undefined) return formatVersion ?? 2;
  if (!/^\d$/.test(text))
    throw new ServiceError('INVALID_REQUEST', `there is no format version ${JSON.stringify(text)}`);
  return Number(text);
}

const freshSpec = (spec: PartitionSpec, idMap: ReadonlyMap<FieldId, FieldId>) =>
  spec.fields.map((field) => ({
    ...field,
    sourceId: freshId(field.sourceId, idMap),
    ...(field.sourceIds === undefined ? {} : { sourceIds: field.sourceIds.map((id) => freshId(id, idMap)) }),
    fieldId: null,
  }));

const freshSortOrder = (order: SortOrder, idMap: ReadonlyMap<FieldId, FieldId>): SortOrder => ({
  orderId: order.orderId,
  fields: order.fields.map((field) => ({
    ...field,
    sourceId: freshId(field.sourceId, idMap),
    ...(field.sourceIds === undefined ? {} : { sourceIds: field.sourceIds.map((id) => freshId(id, idMap)) }),
  })),
});

function freshId(id: FieldId, idMap: ReadonlyMap<FieldId, FieldId>): FieldId {
  const fresh = idMap.get(id);
  if (fresh === undefined) {
    throw new ServiceError(
      'INVALID_REQUEST',
      `the partition spec or sort order refers to column ${id}, which the schema lacks`,
    );
  }
  return fresh;
}
