import { formatColumnPath } from '../../core/column-path.ts';
import { ServiceError } from '../../core/errors.ts';
import { type FieldId, fieldId } from '../../core/ids.ts';
import { defaultLimits } from '../../core/limits.ts';
import { checkIdentifierFields } from './identifier-fields.ts';
import { asInt, type JsonObject, own, readArray, readBoolean, readInt, readObject, readString } from './json-read.ts';
import { indexSchema } from './lookup.ts';
import { formatPrimitiveType, parsePrimitiveType } from './type-text.ts';
import { isPrimitive, type NestedField, type Schema, type Type } from './types.ts';

/** Ids above this are reserved for metadata columns such as `_file` (table spec, "Reserved Field IDs"). */
const fieldIdMax = 2_147_483_447;

export interface SchemaLimits {
  readonly schemaDepthMax: number;
  readonly schemaFieldsMax: number;
}

interface Budget extends SchemaLimits {
  fields: number;
}

/**
 * Reads a schema (table spec, Appendix C); a missing `schema-id`, as v1 allows, is 0. Throws INVALID_REQUEST for JSON of another
 * shape, SCHEMA_MISMATCH for ids or names that occur twice and identifier fields that may not be ones, UNSUPPORTED_FEATURE for
 * types that Headrace does not read, LIMIT_EXCEEDED beyond the limits.
 */
export function parseSchema(json: unknown, limits: SchemaLimits = defaultLimits): Schema {
  const object = readObject(json, 'schema');
  const kind = own(object, 'type');
  if (kind !== undefined && kind !== 'struct') {
    throw new ServiceError('INVALID_REQUEST', 'a schema must be of type "struct"');
  }
  const fields = parseStructFields(object, 0, { ...limits, fields: 0 });
  const identifiers = own(object, 'identifier-field-ids') ?? [];
  const schema: Schema = {
    schemaId: own(object, 'schema-id') === undefined ? 0 : readInt(object, 'schema-id', 'schema'),
    fields,
    identifierFieldIds: [
      ...new Set(
        readArray(identifiers, 'identifier-field-ids').map((id) => fieldId(asInt(id, 'identifier-field-ids'))),
      ),
    ],
  };
  checkSchema(schema);
  return schema;
}

/** The schema as `JSON.stringify` takes it, members in the order Iceberg's own writer uses. */
export function schemaToJson(schema: Schema): object {
  return {
    type: 'struct',
    'schema-id': schema.schemaId,
    ...(schema.identifierFieldIds.length === 0 ? {} : { 'identifier-field-ids': [...schema.identifierFieldIds] }),
    fields: schema.fields.map(fieldToJson),
  };
}

/** Reads one type. `depth` is how deep it already lies; the limits are those of {@link parseSchema}. */
export function parseType(json: unknown, depth = 0, limits: SchemaLimits = defaultLimits): Type {
  return readType(json, depth, { ...limits, fields: 0 });
}

export function typeToJson(type: Type): unknown {
  switch (type.kind) {
    case 'struct':
      return { type: 'struct', fields: type.fields.map(fieldToJson) };
    case 'list':
      return {
        type: 'list',
        'element-id': type.element.id,
        element: typeToJson(type.element.type),
        'element-required': type.element.required,
      };
    case 'map':
      return {
        type: 'map',
        'key-id': type.key.id,
        key: typeToJson(type.key.type),
        'value-id': type.value.id,
        value: typeToJson(type.value.type),
        'value-required': type.value.required,
      };
    default:
      return formatPrimitiveType(type);
  }
}

/** Refuses what no schema may hold, wherever it came from: see {@link parseSchema}. */
export function checkSchema(schema: Schema): void {
  const ids = new Set<FieldId>();
  const paths = new Set<string>();
  for (const { field, path } of indexSchema(schema).entries) {
    const name = formatColumnPath(path);
    if (ids.has(field.id)) {
      throw new ServiceError(
        'SCHEMA_MISMATCH',
        `the field id ${field.id} of ${name} is used twice: ids are unique in a schema`,
      );
    }
    if (paths.has(name)) {
      throw new ServiceError('SCHEMA_MISMATCH', `there are two fields called ${name}: names are unique in a struct`);
    }
    ids.add(field.id);
    paths.add(name);
  }
  checkIdentifierFields(schema);
}

function readType(json: unknown, depth: number, budget: Budget): Type {
  if (depth > budget.schemaDepthMax) {
    throw new ServiceError('LIMIT_EXCEEDED', `the schema nests deeper than ${budget.schemaDepthMax} levels`);
  }
  if (typeof json === 'string') return parsePrimitiveType(json);
  const object = readObject(json, 'a type');
  switch (own(object, 'type')) {
    case 'struct':
      return { kind: 'struct', fields: parseStructFields(object, depth, budget) };
    case 'list':
      return {
        kind: 'list',
        element: readChild(object, 'element', readBoolean(object, 'element-required', 'list'), depth, budget),
      };
    case 'map': {
      const key = readChild(object, 'key', true, depth, budget);
      return {
        kind: 'map',
        key,
        value: readChild(object, 'value', readBoolean(object, 'value-required', 'map'), depth, budget),
      };
    }
    default:
      throw new ServiceError(
        'INVALID_REQUEST',
        'a type must be a name, or an object whose type is "struct", "list" or "map"',
      );
  }
}

function readChild(
  object: JsonObject,
  name: 'element' | 'key' | 'value',
  required: boolean,
  depth: number,
  budget: Budget,
): NestedField {
  count(budget);
  const id = readFieldId(object, `${name}-id`, name);
  return { id, name, required, type: readType(own(object, name), depth + 1, budget) };
}

function parseStructFields(object: JsonObject, depth: number, budget: Budget): NestedField[] {
  return readArray(own(object, 'fields'), 'the fields of a struct').map((json) => {
    count(budget);
    const field = readObject(json, 'a field');
    const name = readString(field, 'name', 'a field');
    if (name === '') throw new ServiceError('INVALID_REQUEST', 'a field has an empty name');
    const doc = own(field, 'doc') ?? undefined;
    const initialDefault = own(field, 'initial-default') ?? undefined;
    const writeDefault = own(field, 'write-default') ?? undefined;
    return {
      id: readFieldId(field, 'id', name),
      name,
      required: readBoolean(field, 'required', name),
      type: readType(own(field, 'type'), depth + 1, budget),
      ...(doc === undefined ? {} : { doc: readString(field, 'doc', name) }),
      ...(initialDefault === undefined ? {} : { initialDefault }),
      ...(writeDefault === undefined ? {} : { writeDefault }),
    };
  });
}

function readFieldId(object: JsonObject, key: string, where: string): FieldId {
  const id = readInt(object, key, where);
  if (id < 0 || id > fieldIdMax) {
    throw new ServiceError('INVALID_REQUEST', `${where}: ${key} must be 0 to ${fieldIdMax}, not ${id}`);
  }
  return fieldId(id);
}

function count(budget: Budget): void {
  if (++budget.fields > budget.schemaFieldsMax) {
    throw new ServiceError('LIMIT_EXCEEDED', `the schema has more than ${budget.schemaFieldsMax} fields`);
  }
}

function fieldToJson(field: NestedField): object {
  return {
    id: field.id,
    name: field.name,
    required: field.required,
    type: isPrimitive(field.type) ? formatPrimitiveType(field.type) : typeToJson(field.type),
    ...(field.doc === undefined ? {} : { doc: field.doc }),
    ...(field.initialDefault === undefined ? {} : { 'initial-default': field.initialDefault }),
    ...(field.writeDefault === undefined ? {} : { 'write-default': field.writeDefault }),
  };
}
