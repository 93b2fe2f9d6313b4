import { randomBytes } from 'node:crypto';
import avro from 'avsc';
import { ServiceError } from '../../core/errors.ts';
import { type AvroCodec, compressBlock } from '../avro/codecs.ts';
import { type AvroLimits, avroMagic, openContainer, syncBytes } from '../avro/container.ts';
import { decodeRows } from '../avro/decode.ts';
import type { AvroRecordType } from '../avro/schema.ts';

export type { AvroLimits } from '../avro/container.ts';

/** The values of a record's fields in its schema's order (see `AvroValue` in avro/decode.ts). */
export type AvroRow = readonly unknown[];

export interface AvroFile {
  readonly metadata: ReadonlyMap<string, Uint8Array>;
  /** The writer's schema as JSON, with whatever attributes it has. */
  readonly schema: unknown;
  readonly type: AvroRecordType;
  /** Decoded while iterated, block by block. */
  readonly rows: Iterable<AvroRow>;
}

/**
 * Reads an Avro container of records. `avsc` is not used here: it believes declared counts (6 bytes that claim 2^29 array items
 * abort the process), so decoding is ours and encoding is its.
 */
export function readAvro(bytes: Uint8Array, limits: AvroLimits): AvroFile {
  const { metadata, schema, type, blocks } = openContainer(bytes, limits);
  if (type.kind !== 'record') throw new ServiceError('CORRUPT_FILE', 'the rows of an Avro file are not records');
  const rows = function* (): Generator<AvroRow> {
    for (const block of blocks) yield* decodeRows(type, block, limits.avroRowValuesMax) as Generator<AvroRow>;
  };
  return { metadata, schema, type, rows: { [Symbol.iterator]: rows } };
}

/** A record to be written: by field name; longs as bigint, bytes and fixed as Buffer, null for the null branch of a union. */
export type AvroRecord = Readonly<Record<string, unknown>>;

export interface AvroWriteOptions {
  readonly codec?: AvroCodec;
  /** Uncompressed bytes after which a block ends. */
  readonly blockBytesTarget?: number;
}

const longType = avro.types.LongType.__with({
  fromBuffer: (bytes: Buffer) => bytes.readBigInt64LE(),
  toBuffer: (value: bigint) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(value);
    return bytes;
  },
  fromJSON: BigInt,
  toJSON: String,
  isValid: (value: unknown) => typeof value === 'bigint' && BigInt.asIntN(64, value) === value,
  compare: (a: bigint, b: bigint) => (a === b ? 0 : a < b ? -1 : 1),
});

/** Every long, with a logical type or without one; other types are left to `avsc`. */
function longAsBigint(schema: unknown): avro.Type | undefined {
  const name = typeof schema === 'object' && schema !== null && 'type' in schema ? schema.type : schema;
  return name === 'long' ? longType : undefined;
}

/**
 * Writes an Avro container. The header holds `schema` as it was given, `field-id`s included, since `avsc` keeps no attributes that
 * Avro does not define. Rows that do not fit the schema are a bug of the caller: `avsc` throws on them.
 */
export function writeAvro(
  schema: object,
  metadata: ReadonlyMap<string, string>,
  rows: Iterable<AvroRecord>,
  { codec = 'deflate', blockBytesTarget = 64 << 10 }: AvroWriteOptions = {},
): Uint8Array {
  const type = avro.Type.forSchema(schema as avro.Schema, { typeHook: longAsBigint, wrapUnions: 'never' });
  const sync = randomBytes(syncBytes);
  const header = new Map([['avro.schema', JSON.stringify(schema)], ['avro.codec', codec], ...metadata]);
  const parts: Uint8Array[] = [avroMagic, headerType.toBuffer(encodable(header)), sync];
  let [pending, pendingBytes]: [Buffer[], number] = [[], 0];
  const endBlock = (): void => {
    if (pending.length === 0) return;
    const block = compressBlock(codec, Buffer.concat(pending));
    parts.push(numberType.toBuffer(pending.length), numberType.toBuffer(block.length), block, sync);
    [pending, pendingBytes] = [[], 0];
  };
  for (const row of rows) {
    const bytes = type.toBuffer(row);
    pending.push(bytes);
    pendingBytes += bytes.length;
    if (pendingBytes >= blockBytesTarget) endBlock();
  }
  endBlock();
  return Buffer.concat(parts);
}

const headerType = avro.Type.forSchema({ type: 'map', values: 'bytes' });
const numberType = avro.Type.forSchema('long');
const encodable = (metadata: ReadonlyMap<string, string>): Record<string, Buffer> =>
  Object.fromEntries([...metadata].map(([key, text]) => [key, Buffer.from(text)]));
