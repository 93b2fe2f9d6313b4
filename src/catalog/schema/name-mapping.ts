import type { ColumnPath } from '../../core/column-path.ts';
import { ServiceError } from '../../core/errors.ts';
import { type FieldId, fieldId } from '../../core/ids.ts';
import { defaultLimits } from '../../core/limits.ts';
import type { SchemaLimits } from './json.ts';
import { asInt, own, readArray, readObject } from './json-read.ts';
import { childrenOf, indexSchema } from './lookup.ts';
import type { NestedField, Schema } from './types.ts';

/** Field ids by name, for data files that carry none (table spec, "Column Projection"). */
export interface NameMapping {
  readonly fields: readonly MappedField[];
}

export interface MappedField {
  /** Null for a column of the files that the table does not have. */
  readonly fieldId: FieldId | null;
  /** Every name that the field has had; one literal name each, dots included. */
  readonly names: readonly string[];
  readonly fields: readonly MappedField[];
}

/** The table property that holds one. */
export const nameMappingProperty = 'schema.name-mapping.default';

const mappingCharsMax = 16 << 20;

/**
 * Reads the text of `schema.name-mapping.default`. Throws INVALID_REQUEST for text that is no mapping or gives a name of one
 * level twice, LIMIT_EXCEEDED beyond the limits of a schema.
 */
export function parseNameMapping(text: string, limits: SchemaLimits = defaultLimits): NameMapping {
  if (text.length > mappingCharsMax) {
    throw new ServiceError('LIMIT_EXCEEDED', `a name mapping has at most ${mappingCharsMax} characters`);
  }
  return { fields: readFields(readJson(text), 0, { ...limits, fields: 0 }) };
}

/** The inverse of {@link parseNameMapping}, before `JSON.stringify`. */
export function nameMappingToJson(mapping: NameMapping): object[] {
  return mapping.fields.map(fieldToJson);
}

/** The id that a file's column has by its path (`element`, `key` and `value` below lists and maps), or null for none. */
export function applyNameMapping(mapping: NameMapping, path: ColumnPath): FieldId | null {
  let fields = mapping.fields;
  let found: MappedField | undefined;
  for (const name of path) {
    found = fields.find((field) => field.names.includes(name));
    if (found === undefined) return null;
    fields = found.fields;
  }
  return found?.fieldId ?? null;
}

/** The mapping under which files whose columns are called as in the schema read as that schema. */
export function nameMappingOf(schema: Schema): NameMapping {
  return { fields: schema.fields.map(mappedField) };
}

/**
 * The mapping after the schema changed: renamed fields keep their old names and gain the new, added ones are mapped, and a name
 * that now belongs to another field of the same struct is taken from its former owner.
 */
export function evolveNameMapping(mapping: NameMapping, before: Schema, after: Schema): NameMapping {
  const known = indexSchema(before).byId;
  return { fields: evolveFields(mapping.fields, after.fields, (id) => known.get(id)?.field.name ?? null) };
}

/** `nameBefore` is null for a field that is new. */
function evolveFields(
  mapped: readonly MappedField[],
  current: readonly NestedField[],
  nameBefore: (id: FieldId) => string | null,
): MappedField[] {
  const byId = new Map(current.map((field) => [field.id, field]));
  const claimed = new Map(
    current.filter((field) => nameBefore(field.id) !== field.name).map((field) => [field.name, field.id]),
  );
  const evolved = mapped.map((old): MappedField => {
    const field = old.fieldId === null ? undefined : byId.get(old.fieldId);
    const names = old.names.filter((name) => (claimed.get(name) ?? old.fieldId) === old.fieldId);
    if (field === undefined) return { ...old, names };
    return {
      fieldId: field.id,
      names: claimed.has(field.name) && !names.includes(field.name) ? [...names, field.name] : names,
      fields: evolveFields(old.fields, childrenOf(field.type), nameBefore),
    };
  });
  return [...evolved, ...current.filter((field) => nameBefore(field.id) === null).map(mappedField)];
}

function mappedField(field: NestedField): MappedField {
  return { fieldId: field.id, names: [field.name], fields: childrenOf(field.type).map(mappedField) };
}

function fieldToJson(field: MappedField): object {
  return {
    ...(field.fieldId === null ? {} : { 'field-id': field.fieldId }),
    names: [...field.names],
    ...(field.fields.length === 0 ? {} : { fields: field.fields.map(fieldToJson) }),
  };
}

function readFields(json: unknown, depth: number, budget: SchemaLimits & { fields: number }): MappedField[] {
  if (depth > budget.schemaDepthMax) {
    throw new ServiceError('LIMIT_EXCEEDED', `a name mapping nests at most ${budget.schemaDepthMax} levels`);
  }
  const seen = new Set<string>();
  return readArray(json, 'the fields of a name mapping').map((member) => {
    const object = readObject(member, 'a field of a name mapping');
    const id = own(object, 'field-id') ?? null;
    const names = readArray(own(object, 'names') ?? [], 'the names of a name mapping').map(readName);
    budget.fields += 1 + names.length;
    if (budget.fields > 2 * budget.schemaFieldsMax) {
      throw new ServiceError(
        'LIMIT_EXCEEDED',
        `a name mapping has at most ${2 * budget.schemaFieldsMax} fields and names`,
      );
    }
    for (const name of names) {
      if (seen.has(name))
        throw new ServiceError('INVALID_REQUEST', `a name mapping maps ${JSON.stringify(name)} twice`);
      seen.add(name);
    }
    return {
      fieldId: id === null ? null : fieldId(asInt(id, 'a field-id of a name mapping')),
      names,
      fields: readFields(own(object, 'fields') ?? [], depth + 1, budget),
    };
  });
}

function readName(json: unknown): string {
  if (typeof json !== 'string')
    throw new ServiceError('INVALID_REQUEST', 'the names of a name mapping must be strings');
  return json;
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ServiceError('INVALID_REQUEST', 'a name mapping must be JSON', { cause });
  }
}
