import { DictionaryEncoding } from 'apache-arrow/fb/dictionary-encoding';
import { DictionaryKind } from 'apache-arrow/fb/dictionary-kind';
import { Endianness } from 'apache-arrow/fb/endianness';
import { Field } from 'apache-arrow/fb/field';
import { Int } from 'apache-arrow/fb/int';
import { KeyValue } from 'apache-arrow/fb/key-value';
import { Message } from 'apache-arrow/fb/message';
import { MessageHeader } from 'apache-arrow/fb/message-header';
import { MetadataVersion } from 'apache-arrow/fb/metadata-version';
import { Schema } from 'apache-arrow/fb/schema';
import { Builder, ByteBuffer, Encoding } from 'flatbuffers';
import { formatColumnPath } from '../../core/column-path.ts';
import { ServiceError } from '../../core/errors.ts';
import { defaultLimits } from '../../core/limits.ts';
import type { ArrowField, ArrowSchema, ArrowType } from './column.ts';
import { decodeType, encodeType, MalformedType, UnsupportedType } from './ipc-types.ts';
import type { DecodedSchema, IpcLimits, MalformedCode, WireDictionary, WireField } from './ipc-wire.ts';

/** Which fields are sent with a dictionary: its id by the positions that lead to the field, joined by dots (`2`, `0.1`). */
export type DictionaryIds = ReadonlyMap<string, number>;

/** The flatbuffer Message of a schema (format/Message.fbs), metadata version V5, without framing. */
export function encodeSchema(schema: ArrowSchema, dictionaryIds: DictionaryIds = new Map()): Uint8Array {
  const builder = new Builder(1024);
  const fields = schema.fields.map((field, at) => encodeField(builder, field, String(at), dictionaryIds));
  const fieldsOffset = Schema.createFieldsVector(builder, fields);
  const metadata = encodeMetadata(builder, schema.metadata, Schema.createCustomMetadataVector);
  const header = Schema.createSchema(builder, Endianness.Little, fieldsOffset, metadata, 0);
  const message = Message.createMessage(builder, MetadataVersion.V5, MessageHeader.Schema, header, 0n, 0);
  builder.finish(message);
  return builder.asUint8Array();
}

function encodeField(builder: Builder, field: ArrowField, key: string, ids: DictionaryIds): number {
  const id = ids.get(key);
  const children = childFields(field.type).map((child, at) => encodeField(builder, child, `${key}.${at}`, ids));
  const childrenOffset = Field.createChildrenVector(builder, children);
  const name = builder.createString(field.name);
  const type = encodeType(builder, field.type);
  const dictionary = id === undefined ? 0 : encodeDictionary(builder, id);
  const metadata = encodeMetadata(builder, field.metadata, Field.createCustomMetadataVector);
  Field.startField(builder);
  Field.addName(builder, name);
  Field.addNullable(builder, field.nullable);
  Field.addTypeType(builder, type.code);
  Field.addType(builder, type.offset);
  if (dictionary !== 0) Field.addDictionary(builder, dictionary);
  Field.addChildren(builder, childrenOffset);
  if (metadata !== 0) Field.addCustomMetadata(builder, metadata);
  return Field.endField(builder);
}

/** The fields below a type as the wire has them: a map has one child, the struct of its entries. */
export function childFields(type: ArrowType): readonly ArrowField[] {
  switch (type.kind) {
    case 'list':
    case 'fixed-size-list':
      return [type.element];
    case 'struct':
      return type.fields;
    case 'map':
      return [
        {
          name: 'entries',
          type: { kind: 'struct', fields: [type.key, type.value] },
          nullable: false,
          metadata: new Map(),
        },
      ];
    default:
      return [];
  }
}

function encodeDictionary(builder: Builder, id: number): number {
  const indexType = Int.createInt(builder, 32, true);
  DictionaryEncoding.startDictionaryEncoding(builder);
  DictionaryEncoding.addId(builder, BigInt(id));
  DictionaryEncoding.addIndexType(builder, indexType);
  DictionaryEncoding.addDictionaryKind(builder, DictionaryKind.DenseArray);
  return DictionaryEncoding.endDictionaryEncoding(builder);
}

type VectorWriter = (builder: Builder, offsets: number[]) => number;

function encodeMetadata(builder: Builder, metadata: ReadonlyMap<string, string>, createVector: VectorWriter): number {
  if (metadata.size === 0) return 0;
  const pairs = [...metadata].map(([key, value]) =>
    KeyValue.createKeyValue(builder, builder.createString(key), builder.createString(value)),
  );
  return createVector(builder, pairs);
}

type SchemaLimits = Pick<IpcLimits, 'schemaFieldsMax' | 'schemaDepthMax'>;

/**
 * Reads a schema message of unknown origin. Large and view types come out as their plain ones, dictionary-encoded fields with the
 * type of their values. Throws `code` where the message is malformed or beyond the limits, UNSUPPORTED_FEATURE for unions and
 * intervals, naming the column.
 */
export function decodeSchema(
  message: Uint8Array,
  limits: SchemaLimits = defaultLimits,
  code: MalformedCode = 'INVALID_REQUEST',
): DecodedSchema {
  const root = Message.getRootAsMessage(new ByteBuffer(message));
  if (root.headerType() !== MessageHeader.Schema) {
    throw new ServiceError(code, 'Arrow IPC: the first message must be a schema');
  }
  checkVersion(root.version(), code);
  const table: Schema | null = root.header(new Schema());
  if (table === null) throw new ServiceError(code, 'Arrow IPC: the schema message is empty');
  return decodeSchemaTable(table, message.length, limits, code);
}

/** V4 (0.8 to 0.17) and V5 (1.0 on) differ only in unions. */
export function checkVersion(version: MetadataVersion, code: MalformedCode): void {
  if (version === MetadataVersion.V4 || version === MetadataVersion.V5) return;
  if (version < MetadataVersion.V4) {
    throw new ServiceError('UNSUPPORTED_FEATURE', `Arrow IPC metadata V${version + 1} is too old: write V4 or V5`);
  }
  throw new ServiceError(code, `Arrow IPC: metadata version ${version} is unknown`);
}

/** The same for a schema table inside a larger flatbuffer of `bytes` bytes, as a file's footer has one. */
export function decodeSchemaTable(
  table: Schema,
  bytes: number,
  limits: SchemaLimits = defaultLimits,
  code: MalformedCode = 'INVALID_REQUEST',
): DecodedSchema {
  const reader = new SchemaReader(bytes, limits, code);
  const wire = reader.readFields([], table.fieldsLength(), (at) => table.fields(at));
  const metadata = reader.readMetadata(table.customMetadataLength(), (at) => table.customMetadata(at));
  const schema = { fields: wire.map((field) => field.field), metadata };
  const bigEndian = table.endianness() === Endianness.Big;
  return { schema, wire, dictionaries: reader.dictionaries, bigEndian };
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

class SchemaReader {
  readonly dictionaries = new Map<bigint, WireField>();
  readonly #bytes: number;
  readonly #limits: SchemaLimits;
  readonly #code: MalformedCode;
  #fieldsLeft: number;
  // Tables and texts may be shared within a flatbuffer, so that a small message could stand for a huge schema.
  #textLeft: number;

  constructor(bytes: number, limits: SchemaLimits, code: MalformedCode) {
    this.#bytes = bytes;
    this.#limits = limits;
    this.#code = code;
    this.#fieldsLeft = limits.schemaFieldsMax;
    this.#textLeft = 4 * bytes;
  }

  readFields(parent: readonly string[], count: number, at: (index: number) => Field | null): WireField[] {
    this.#checkCount(count);
    if (parent.length >= this.#limits.schemaDepthMax && count > 0) {
      throw this.#malformed(parent, `nested deeper than ${this.#limits.schemaDepthMax} levels`);
    }
    this.#fieldsLeft -= count;
    if (this.#fieldsLeft < 0) {
      throw new ServiceError(this.#code, `Arrow IPC: the schema has more than ${this.#limits.schemaFieldsMax} fields`);
    }
    return Array.from({ length: count }, (_, index) => this.#readField(parent, at(index)));
  }

  readMetadata(count: number, at: (index: number) => KeyValue | null): Map<string, string> {
    this.#checkCount(count);
    const metadata = new Map<string, string>();
    for (let index = 0; index < count; index++) {
      const pair = at(index);
      this.#spendText(8);
      const key = this.#readText(pair?.key(Encoding.UTF8_BYTES) ?? null);
      metadata.set(key, this.#readText(pair?.value(Encoding.UTF8_BYTES) ?? null));
    }
    return metadata;
  }

  #readField(parent: readonly string[], table: Field | null): WireField {
    if (table === null) throw this.#malformed(parent, 'a child is missing');
    const name = this.#readText(table.name(Encoding.UTF8_BYTES));
    const path = [...parent, name];
    const children = this.readFields(path, table.childrenLength(), (at) => table.children(at));
    const metadata = this.readMetadata(table.customMetadataLength(), (at) => table.customMetadata(at));
    const { type, layout } = this.#readType(path, table, children);
    const dictionary = this.#readDictionary(path, table.dictionary());
    const wire = { field: { name, type, nullable: table.nullable(), metadata }, layout, children, dictionary };
    if (dictionary !== null) this.#keepDictionary(path, dictionary.id, wire);
    return wire;
  }

  #readType(path: readonly string[], table: Field, children: readonly WireField[]) {
    try {
      return decodeType(table, children, (bytes) => this.#readText(bytes));
    } catch (error) {
      if (error instanceof UnsupportedType) {
        throw new ServiceError(
          'UNSUPPORTED_FEATURE',
          `column ${formatColumnPath(path)}: Arrow's ${error.message} type`,
        );
      }
      if (error instanceof MalformedType) throw this.#malformed(path, error.message);
      throw error;
    }
  }

  #readDictionary(path: readonly string[], encoding: DictionaryEncoding | null): WireDictionary | null {
    if (encoding === null) return null;
    if (encoding.dictionaryKind() !== DictionaryKind.DenseArray)
      throw this.#malformed(path, 'an unknown kind of dictionary');
    const index = encoding.indexType();
    const indexBits = index === null ? 32 : index.bitWidth();
    if (indexBits !== 8 && indexBits !== 16 && indexBits !== 32 && indexBits !== 64) {
      throw this.#malformed(path, `dictionary indices of ${indexBits} bits`);
    }
    return { id: encoding.id(), indexBits, indexSigned: index === null || index.isSigned() };
  }

  #keepDictionary(path: readonly string[], id: bigint, wire: WireField): void {
    const other = this.dictionaries.get(id);
    if (other === undefined) this.dictionaries.set(id, wire);
    else if (!sameLayout(other, wire))
      throw this.#malformed(path, `dictionary ${id} is another field's, of another type`);
  }

  #readText(bytes: string | Uint8Array | null): string {
    if (bytes === null || typeof bytes === 'string') return bytes ?? '';
    this.#spendText(bytes.length);
    try {
      return utf8.decode(bytes);
    } catch (cause) {
      throw new ServiceError(this.#code, 'Arrow IPC: a text of the schema is not UTF-8', { cause });
    }
  }

  #spendText(bytes: number): void {
    this.#textLeft -= bytes;
    if (this.#textLeft < 0)
      throw new ServiceError(this.#code, 'Arrow IPC: the schema holds more text than its message');
  }

  #checkCount(count: number): void {
    if (count >= 0 && count * 4 <= this.#bytes) return;
    throw new ServiceError(this.#code, 'Arrow IPC: the schema claims more entries than its message has bytes');
  }

  #malformed(path: readonly string[], what: string): ServiceError {
    const where = path.length === 0 ? 'the schema' : `column ${formatColumnPath(path)}`;
    return new ServiceError(this.#code, `Arrow IPC: ${where}: ${what}`);
  }
}

/** Whether one dictionary can serve both fields: same values, same layout; names and nullability do not matter. */
function sameLayout(left: WireField, right: WireField): boolean {
  return (
    JSON.stringify(left.layout) === JSON.stringify(right.layout) &&
    shallowType(left.field.type) === shallowType(right.field.type) &&
    left.children.length === right.children.length &&
    left.children.every((child, at) => sameLayout(child, right.children[at]!))
  );
}

function shallowType(type: ArrowType): string {
  return JSON.stringify(type, (key, value: unknown) =>
    key === 'element' || key === 'fields' || key === 'key' || key === 'value' ? undefined : value,
  );
}
