import { type ColumnPath, formatColumnPath } from '../../core/column-path.ts';
import { ServiceError } from '../../core/errors.ts';
import { type FieldId, fieldId } from '../../core/ids.ts';
import { defaultLimits } from '../../core/limits.ts';
import { didYouMean } from '../../core/nearest.ts';
import { applyEdits, type Edits, emptyEdits, type MoveTarget } from './apply-edits.ts';
import { freshType } from './assign-ids.ts';
import { checkSchema } from './json.ts';
import { childrenOf, type FieldEntry, indexSchema, type SchemaIndex } from './lookup.ts';
import { describeType, sameType } from './type-text.ts';
import { checkFormatVersion } from './type-version.ts';
import { isPrimitive, type NestedField, type PrimitiveType, type Schema, type Type } from './types.ts';
import { valueFromJson } from './value-json.ts';

/**
 * One change. Paths are those of the schema before all changes (`["home", "zip"]`; a list's element is `element`, a map's value
 * `value`), except that moves, and changes to added columns, also name what is added in the same go.
 */
export type SchemaChange =
  | {
      readonly kind: 'add';
      /** A struct, or a list or map whose element or value is one; null = the top level. */
      readonly parent: ColumnPath | null;
      readonly name: string;
      /** Ids inside are given anew. */
      readonly type: Type;
      readonly required?: boolean;
      readonly doc?: string;
      /** JSON single-value serialization; becomes both defaults. Needs format version 3. */
      readonly defaultValue?: unknown;
    }
  | { readonly kind: 'drop'; readonly path: ColumnPath }
  | { readonly kind: 'rename'; readonly path: ColumnPath; readonly name: string }
  | { readonly kind: 'widen'; readonly path: ColumnPath; readonly type: PrimitiveType }
  | { readonly kind: 'make-optional'; readonly path: ColumnPath }
  | { readonly kind: 'set-doc'; readonly path: ColumnPath; readonly doc: string | null }
  | { readonly kind: 'move'; readonly path: ColumnPath; readonly to: MovePosition };

/** Siblings by name, in the same struct. */
export type MovePosition = { readonly kind: 'first' } | { readonly kind: 'before' | 'after'; readonly sibling: string };

export interface EvolveOptions {
  /** Permits a required column without a default: right only where the table is empty. */
  readonly allowIncompatible?: boolean;
  readonly formatVersion?: 1 | 2 | 3;
  /** Which fields an error may suggest; all by default. Pass what the caller of the service may see. */
  readonly mayName?: (id: FieldId) => boolean;
  readonly fieldsMax?: number;
}

export interface EvolvedSchema {
  /** Keeps the old `schemaId`: whoever commits gives it the next one, or that of an equal schema. */
  readonly schema: Schema;
  readonly lastColumnId: number;
}

/**
 * Applies changes as one SchemaUpdate of Iceberg's Java library does: all are checked against the schema as it was, then applied
 * together, adds before moves. Throws UNKNOWN_COLUMN for a path that leads nowhere, SCHEMA_MISMATCH for a change that would
 * break readers, identifier fields or the uniqueness of names, INVALID_REQUEST for one that makes no sense.
 */
export function evolveSchema(
  schema: Schema,
  lastColumnId: number,
  changes: readonly SchemaChange[],
  options: EvolveOptions = {},
): EvolvedSchema {
  const evolution = new Evolution(schema, lastColumnId, options);
  for (const change of changes) evolution.take(change);
  const evolved = applyEdits(schema, evolution.edits);
  checkSchema(evolved);
  const fieldsMax = options.fieldsMax ?? defaultLimits.schemaFieldsMax;
  if (indexSchema(evolved).entries.length > fieldsMax) {
    throw new ServiceError('LIMIT_EXCEEDED', `the schema would have more than ${fieldsMax} fields`);
  }
  checkFormatVersion(evolved, options.formatVersion ?? 2);
  return { schema: evolved, lastColumnId: evolution.lastColumnId };
}

/** A column that a change names: as it will be, with the struct that holds it (null = the top level). */
interface Target {
  readonly field: NestedField;
  readonly parentId: FieldId | null;
}

class Evolution {
  readonly edits: Edits = emptyEdits();
  lastColumnId: number;
  readonly #schema: Schema;
  readonly #index: SchemaIndex;
  readonly #options: EvolveOptions;

  constructor(schema: Schema, lastColumnId: number, options: EvolveOptions) {
    this.#schema = schema;
    this.#index = indexSchema(schema);
    this.#options = options;
    this.lastColumnId = lastColumnId;
  }

  take(change: SchemaChange): void {
    switch (change.kind) {
      case 'add':
        this.#add(change);
        break;
      case 'drop':
        this.#drop(change.path);
        break;
      case 'rename':
        this.#rename(change.path, change.name);
        break;
      case 'widen':
        this.#widen(change.path, change.type);
        break;
      case 'make-optional':
        this.#update(change.path, (field) => ({ ...field, required: false }));
        break;
      case 'set-doc':
        this.#update(change.path, ({ doc: _, ...field }) =>
          change.doc === null ? field : { ...field, doc: change.doc },
        );
        break;
      case 'move':
        this.#move(change.path, change.to);
        break;
      default:
        change satisfies never;
    }
  }

  #add(change: Extract<SchemaChange, { readonly kind: 'add' }>): void {
    const { name, required = false, defaultValue } = change;
    const parent = change.parent === null ? null : this.#structAt(change.parent);
    const where = formatColumnPath([...(change.parent ?? []), name]);
    if (name === '') throw new ServiceError('INVALID_REQUEST', 'a column needs a name');
    const siblings = parent === null ? this.#schema.fields : childrenOf(parent.field.type);
    const taken = siblings.some((field) => field.name === name && !this.edits.dropped.has(field.id));
    if (taken) throw new ServiceError('SCHEMA_MISMATCH', `cannot add ${where}: there is already a column of that name`);
    if (required && defaultValue === undefined && this.#options.allowIncompatible !== true) {
      throw new ServiceError(
        'SCHEMA_MISMATCH',
        `cannot add ${where} as required: the rows that exist have no value for it; add it as optional`,
      );
    }
    const id = this.#nextId();
    this.#addTo(parent?.field.id ?? null, {
      id,
      name,
      required,
      type: freshType(change.type, () => this.#nextId()),
      ...(change.doc === undefined ? {} : { doc: change.doc }),
      ...(defaultValue === undefined ? {} : defaults(change.type, defaultValue, where)),
    });
  }

  #drop(path: ColumnPath): void {
    const { field, parent } = this.#find(path);
    const name = formatColumnPath(path);
    if (parent !== null && parent.field.type.kind !== 'struct') {
      const container = parent.field.type.kind;
      throw new ServiceError(
        'INVALID_REQUEST',
        `cannot drop the ${field.name} of a ${container}: drop the ${container} itself`,
      );
    }
    this.#refuseMapKey(field.id, path);
    const moves = this.edits.moves.get(parent?.field.id ?? null) ?? [];
    const moved = moves.some(({ id, to }) => id === field.id || (to.kind !== 'first' && to.id === field.id));
    if (moved || this.edits.updated.has(field.id)) throw this.#changedAndDropped(path);
    for (const id of this.#schema.identifierFieldIds) {
      for (let entry = this.#index.byId.get(id) ?? null; entry !== null; entry = entry.parent) {
        if (entry.field.id === field.id) {
          throw new ServiceError('SCHEMA_MISMATCH', `cannot drop ${name}: it is, or holds, an identifier field`);
        }
      }
    }
    this.edits.dropped.add(field.id);
  }

  #rename(path: ColumnPath, name: string): void {
    if (name === '')
      throw new ServiceError('INVALID_REQUEST', `cannot rename ${formatColumnPath(path)}: the new name is empty`);
    this.#update(path, (field, parent) => {
      if (parent !== null && parent.field.type.kind !== 'struct') {
        throw new ServiceError(
          'INVALID_REQUEST',
          `cannot rename ${formatColumnPath(path)}: it is part of a ${parent.field.type.kind}`,
        );
      }
      return { ...field, name };
    });
  }

  #widen(path: ColumnPath, to: PrimitiveType): void {
    this.#update(path, (field) => {
      const from = field.type;
      if (isPrimitive(from) && sameType(from, to)) return field;
      if (!isPrimitive(from) || !isPromotion(from, to)) {
        throw new ServiceError(
          'SCHEMA_MISMATCH',
          `cannot change ${formatColumnPath(path)} from ${describeType(from)} to ${describeType(to)}: ` +
            'int widens to long, float to double, and a decimal to more digits of the same scale',
        );
      }
      return { ...field, type: to };
    });
  }

  #move(path: ColumnPath, to: MovePosition): void {
    const moved = this.#target(path);
    const parent = moved.parentId === null ? null : this.#index.byId.get(moved.parentId)!;
    if (parent !== null && parent.field.type.kind !== 'struct') {
      throw new ServiceError(
        'INVALID_REQUEST',
        `cannot move ${formatColumnPath(path)}: it is part of a ${parent.field.type.kind}`,
      );
    }
    if (parent !== null) this.#refuseMapKey(parent.field.id, path);
    if (this.edits.dropped.has(moved.field.id)) throw this.#changedAndDropped(path);
    const sibling = to.kind === 'first' ? path : [...path.slice(0, -1), to.sibling];
    const target = to.kind === 'first' ? null : this.#target(sibling).field.id;
    if (target === moved.field.id) {
      throw new ServiceError('INVALID_REQUEST', `cannot move ${formatColumnPath(path)} next to itself`);
    }
    if (target !== null && this.edits.dropped.has(target)) throw this.#changedAndDropped(sibling);
    const moves = this.edits.moves.get(moved.parentId) ?? [];
    const at: MoveTarget = to.kind === 'first' ? { kind: 'first' } : { kind: to.kind, id: target! };
    this.edits.moves.set(moved.parentId, [...moves, { id: moved.field.id, to: at }]);
  }

  #update(path: ColumnPath, change: (field: NestedField, parent: FieldEntry | null) => NestedField): void {
    const { field, parentId } = this.#target(path);
    if (this.edits.dropped.has(field.id)) throw this.#changedAndDropped(path);
    this.#refuseMapKey(field.id, path);
    const parent = parentId === null ? null : (this.#index.byId.get(parentId) ?? null);
    const changed = change(field, parent);
    if (!this.edits.added.has(field.id)) this.edits.updated.set(field.id, changed);
    else this.#replaceAdded(changed, parentId);
  }

  /** The struct that a path names, or that its list or map holds. */
  #structAt(path: ColumnPath): FieldEntry {
    const entry = this.#find(path);
    const { type } = entry.field;
    const inner = type.kind === 'list' ? type.element : type.kind === 'map' ? type.value : entry.field;
    const name = formatColumnPath(path);
    if (inner.type.kind !== 'struct') {
      throw new ServiceError(
        'INVALID_REQUEST',
        `cannot add a column to ${name}: it is a ${describeType(inner.type)}, not a struct`,
      );
    }
    const struct = this.#index.byId.get(inner.id)!;
    this.#refuseMapKey(struct.field.id, path);
    for (let at: FieldEntry | null = struct; at !== null; at = at.parent) {
      if (this.edits.dropped.has(at.field.id)) throw this.#changedAndDropped(path);
    }
    return struct;
  }

  #target(path: ColumnPath): Target {
    const entry = this.#index.find(path);
    if (entry !== undefined && !(this.edits.dropped.has(entry.field.id) && this.#findAdded(path) !== null)) {
      return { field: this.edits.updated.get(entry.field.id) ?? entry.field, parentId: entry.parent?.field.id ?? null };
    }
    return this.#findAdded(path) ?? this.#unknown(path);
  }

  #find(path: ColumnPath): FieldEntry {
    return this.#index.find(path) ?? this.#unknown(path);
  }

  #findAdded(path: ColumnPath): Target | null {
    const parent = path.length === 1 ? null : this.#index.find(path.slice(0, -1));
    if (parent === undefined) return null;
    const parentId = parent?.field.id ?? null;
    const field = this.edits.addedTo.get(parentId)?.find((candidate) => candidate.name === path.at(-1));
    return field === undefined ? null : { field, parentId };
  }

  #addTo(parentId: FieldId | null, field: NestedField): void {
    const siblings = this.edits.addedTo.get(parentId) ?? [];
    if (siblings.some((other) => other.name === field.name)) {
      throw new ServiceError('SCHEMA_MISMATCH', `cannot add ${field.name} twice`);
    }
    this.edits.addedTo.set(parentId, [...siblings, field]);
    this.edits.added.add(field.id);
    // Holding an addition is a change: such a struct cannot be dropped in the same go.
    if (parentId !== null && !this.edits.updated.has(parentId)) {
      this.edits.updated.set(parentId, this.#index.byId.get(parentId)!.field);
    }
  }

  #replaceAdded(field: NestedField, parentId: FieldId | null): void {
    const siblings = this.edits.addedTo.get(parentId) ?? [];
    this.edits.addedTo.set(
      parentId,
      siblings.map((other) => (other.id === field.id ? field : other)),
    );
  }

  /** Changing a key could make two keys of a row equal. */
  #refuseMapKey(id: FieldId, path: ColumnPath): void {
    for (let entry = this.#index.byId.get(id) ?? null; entry !== null; entry = entry.parent) {
      const around = entry.parent?.field.type;
      if (around?.kind === 'map' && around.key.id === entry.field.id) {
        throw new ServiceError(
          'INVALID_REQUEST',
          `cannot change ${formatColumnPath(path)}: the keys of a map are fixed`,
        );
      }
    }
  }

  #nextId(): FieldId {
    return fieldId(++this.lastColumnId);
  }

  #unknown(path: ColumnPath): never {
    const mayName = this.#options.mayName ?? (() => true);
    const candidates = this.#index.entries
      .filter(({ field }) => mayName(field.id))
      .map((entry) => formatColumnPath(entry.path));
    const name = formatColumnPath(path);
    throw new ServiceError('UNKNOWN_COLUMN', `there is no column ${name}.${didYouMean(name, candidates)}`);
  }

  #changedAndDropped(path: ColumnPath): ServiceError {
    return new ServiceError('INVALID_REQUEST', `cannot change ${formatColumnPath(path)} and drop it in one go`);
  }
}

/** Type promotions of format versions 1 to 3 that Iceberg's own libraries perform (table spec, "Schema Evolution"). */
export function isPromotion(from: PrimitiveType, to: PrimitiveType): boolean {
  if (from.kind === 'decimal')
    return to.kind === 'decimal' && to.scale === from.scale && to.precision >= from.precision;
  return (from.kind === 'int' && to.kind === 'long') || (from.kind === 'float' && to.kind === 'double');
}

function defaults(type: Type, json: unknown, where: string): Pick<NestedField, 'initialDefault' | 'writeDefault'> {
  if (!isPrimitive(type)) {
    throw new ServiceError('SCHEMA_MISMATCH', `${where}: a ${type.kind} has no default of its own`);
  }
  valueFromJson(type, json);
  return { initialDefault: json, writeDefault: json };
}
