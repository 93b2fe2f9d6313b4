declare const brand: unique symbol;
type Branded<Base, Name extends string> = Base & { readonly [brand]: Name };

/** An Iceberg field id: unique within a table, at every nesting depth, for ever. */
export type FieldId = Branded<number, 'FieldId'>;
/** An Iceberg snapshot id: a signed 64-bit integer; a decimal string in every JSON of ours. */
export type SnapshotId = Branded<bigint, 'SnapshotId'>;
/** A table's `table-uuid`, lower case. */
export type TableUuid = Branded<string, 'TableUuid'>;

export const fieldId = (id: number): FieldId => id as FieldId;
export const snapshotId = (id: bigint): SnapshotId => id as SnapshotId;
export const tableUuid = (uuid: string): TableUuid => uuid.toLowerCase() as TableUuid;
