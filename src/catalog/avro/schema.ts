import { ServiceError } from '../../core/errors.ts';
import type { Limits } from '../../core/limits.ts';

interface TypeFacts {
  /** Bytes that every value of the type has at least. */
  readonly minBytes: number;
  /** Types in the tree below and including this one, references written out. */
  readonly nodes: number;
  /** Levels of nesting below and including this one. */
  readonly depth: number;
  /** `decimal`, `date`, `uuid`, …, as written; null where there is none. */
  readonly logical: string | null;
  /** The type's other attributes, not interpreted (`precision`, `scale`, `adjust-to-utc`, `element-id`, …). */
  readonly attributes: Readonly<Record<string, unknown>>;
}

export type AvroPrimitiveKind = 'null' | 'boolean' | 'int' | 'long' | 'float' | 'double' | 'bytes' | 'string';

/** An Avro type with every name resolved (Avro 1.12 specification, "Schema Declaration"). */
export type AvroType = TypeFacts &
  (
    | { readonly kind: AvroPrimitiveKind }
    | { readonly kind: 'fixed'; readonly size: number }
    | { readonly kind: 'enum'; readonly symbols: readonly string[] }
    | { readonly kind: 'array'; readonly items: AvroType }
    | { readonly kind: 'map'; readonly values: AvroType }
    | { readonly kind: 'union'; readonly branches: readonly AvroType[] }
    | { readonly kind: 'record'; readonly fields: readonly AvroField[] }
  );

export type AvroRecordType = Extract<AvroType, { kind: 'record' }>;

export interface AvroField {
  readonly name: string;
  /** Iceberg's `field-id`; null where the writer left it out. */
  readonly fieldId: number | null;
  readonly type: AvroType;
}

export type AvroSchemaLimits = Pick<Limits, 'schemaDepthMax' | 'schemaFieldsMax'>;

const primitiveBytes: Readonly<Record<AvroPrimitiveKind, number>> = {
  null: 0,
  boolean: 1,
  int: 1,
  long: 1,
  float: 4,
  double: 8,
  bytes: 1,
  string: 1,
};
const namePattern = /^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$/;
const fixedBytesMax = 1 << 24;

/**
 * Reads a schema from parsed JSON. Throws CORRUPT_FILE where it is no Avro schema, LIMIT_EXCEEDED where it is too deep or too wide
 * once its references are written out, UNSUPPORTED_FEATURE where a type holds itself.
 */
export function parseAvroSchema(json: unknown, limits: AvroSchemaLimits): AvroType {
  return new SchemaParser(limits).parse(json, '', 1);
}

class SchemaParser {
  readonly #limits: AvroSchemaLimits;
  /** Null while the type is being read: a reference to it then is a cycle. */
  readonly #named = new Map<string, AvroType | null>();

  constructor(limits: AvroSchemaLimits) {
    this.#limits = limits;
  }

  parse(json: unknown, namespace: string, level: number): AvroType {
    const type = this.#parse(json, namespace, level);
    if (level - 1 + type.depth > this.#limits.schemaDepthMax) throw tooDeep(this.#limits.schemaDepthMax);
    if (type.nodes > this.#limits.schemaFieldsMax) {
      throw new ServiceError('LIMIT_EXCEEDED', `an Avro schema has more than ${this.#limits.schemaFieldsMax} types`);
    }
    return type;
  }

  #parse(json: unknown, namespace: string, level: number): AvroType {
    if (level > this.#limits.schemaDepthMax) throw tooDeep(this.#limits.schemaDepthMax);
    if (typeof json === 'string') return this.#reference(json, namespace);
    if (Array.isArray(json)) return this.#union(json, namespace, level);
    if (!isObject(json)) throw badSchema('a type is neither a name, a list nor an object');
    const { type } = json;
    if (typeof type !== 'string') return this.parse(type, namespace, level + 1);
    switch (type) {
      case 'record':
      case 'error':
        return this.#define(json, namespace, (inner) => this.#record(json, inner, level));
      case 'enum':
        return this.#define(json, namespace, () => enumType(json));
      case 'fixed':
        return this.#define(json, namespace, () => fixedType(json));
      case 'array': {
        const items = this.parse(json.items, namespace, level + 1);
        return { kind: 'array', items, ...facts(json, 1, [items]) };
      }
      case 'map': {
        const values = this.parse(json.values, namespace, level + 1);
        return { kind: 'map', values, ...facts(json, 1, [values]) };
      }
      default:
        return isPrimitiveKind(type)
          ? { kind: type, ...facts(json, primitiveBytes[type], []) }
          : this.#reference(type, namespace);
    }
  }

  #reference(name: string, namespace: string): AvroType {
    if (isPrimitiveKind(name)) return { kind: name, ...facts({}, primitiveBytes[name], []) };
    const full = fullName(name, namespace);
    const type = this.#named.get(full) ?? this.#named.get(name);
    if (type === undefined && !this.#named.has(full))
      throw badSchema('a type is named that the schema does not define');
    if (type === undefined || type === null) {
      throw new ServiceError('UNSUPPORTED_FEATURE', 'Avro schemas in which a type holds itself are not supported');
    }
    return type;
  }

  #define(json: JsonObject, outer: string, read: (namespace: string) => AvroType): AvroType {
    const { name } = json;
    if (typeof name !== 'string' || !namePattern.test(name)) throw badSchema('a type has no valid name');
    const full = fullName(name, typeof json.namespace === 'string' ? json.namespace : outer);
    const known = this.#named.get(full);
    if (known !== undefined) {
      // PyIceberg 0.12 writes the type of a decimal out again for each partition field that has it.
      const again = json.type === 'fixed' && known?.kind === 'fixed' ? fixedType(json) : null;
      if (again?.kind === 'fixed' && known?.kind === 'fixed' && again.size === known.size) return again;
      throw badSchema('a type name is defined twice');
    }
    this.#named.set(full, null);
    const type = read(full.slice(0, Math.max(0, full.lastIndexOf('.'))));
    this.#named.set(full, type);
    return type;
  }

  #record(json: JsonObject, namespace: string, level: number): AvroRecordType {
    const seen = new Set<string>();
    const fields = listOf(json, 'fields').map((field): AvroField => {
      if (!isObject(field)) throw badSchema('a field is not an object');
      const { name } = field;
      if (typeof name !== 'string' || name === '') throw badSchema('a field has no name');
      if (seen.has(name)) throw badSchema('a record has two fields of one name');
      seen.add(name);
      const id = field['field-id'];
      return {
        name,
        fieldId: Number.isSafeInteger(id) ? (id as number) : null,
        type: this.parse(field.type, namespace, level + 1),
      };
    });
    const types = fields.map((field) => field.type);
    const minBytes = types.reduce((sum, type) => sum + type.minBytes, 0);
    return { kind: 'record', fields, ...facts(json, minBytes, types) };
  }

  #union(json: readonly unknown[], namespace: string, level: number): AvroType {
    const branches = json.map((branch) => this.parse(branch, namespace, level + 1));
    if (branches.length === 0) throw badSchema('a union has no types');
    if (branches.some((branch) => branch.kind === 'union')) throw badSchema('a union holds a union');
    // A union adds no level of its own: what readers nest is its branches.
    const all = facts({}, 1, branches);
    return { kind: 'union', branches, ...all, depth: all.depth - 1 };
  }
}

type JsonObject = Readonly<Record<string, unknown>>;

const isObject = (json: unknown): json is JsonObject =>
  typeof json === 'object' && json !== null && !Array.isArray(json);

const isPrimitiveKind = (name: string): name is AvroPrimitiveKind => Object.hasOwn(primitiveBytes, name);

const fullName = (name: string, namespace: string): string =>
  name.includes('.') || namespace === '' ? name : `${namespace}.${name}`;

function facts(json: JsonObject, minBytes: number, below: readonly AvroType[]): TypeFacts {
  const { logicalType } = json;
  return {
    minBytes,
    nodes: below.reduce((sum, type) => sum + type.nodes, 1),
    depth: below.reduce((deepest, type) => Math.max(deepest, type.depth), 0) + 1,
    logical: typeof logicalType === 'string' ? logicalType : null,
    attributes: json,
  };
}

function enumType(json: JsonObject): AvroType {
  const symbols = listOf(json, 'symbols').map((symbol) => {
    if (typeof symbol !== 'string') throw badSchema('an enum has a symbol that is not a string');
    return symbol;
  });
  return { kind: 'enum', symbols, ...facts(json, 1, []) };
}

function fixedType(json: JsonObject): AvroType {
  const { size } = json;
  if (typeof size !== 'number' || !Number.isInteger(size) || size < 0 || size > fixedBytesMax) {
    throw badSchema(`a fixed type has no size between 0 and ${fixedBytesMax}`);
  }
  return { kind: 'fixed', size, ...facts(json, size, []) };
}

function listOf(json: JsonObject, member: string): readonly unknown[] {
  const list = json[member];
  if (!Array.isArray(list)) throw badSchema(`a type has no list of ${member}`);
  return list;
}

const badSchema = (problem: string): ServiceError =>
  new ServiceError('CORRUPT_FILE', `an Avro file's schema is invalid: ${problem}`);

const tooDeep = (depthMax: number): ServiceError =>
  new ServiceError('LIMIT_EXCEEDED', `an Avro schema is nested deeper than ${depthMax} levels`);
