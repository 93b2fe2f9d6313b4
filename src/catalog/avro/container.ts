import { ServiceError } from '../../core/errors.ts';
import type { Limits } from '../../core/limits.ts';
import { parseJson } from '../metadata/big-json.ts';
import { decompressBlock } from './codecs.ts';
import { AvroCursor } from './cursor.ts';
import { type AvroType, parseAvroSchema } from './schema.ts';

export const avroMagic = Buffer.from('Obj\x01', 'latin1');
export const syncBytes = 16;

export type AvroLimits = Pick<
  Limits,
  'schemaDepthMax' | 'schemaFieldsMax' | 'decompressedBytesMax' | 'avroHeaderEntriesMax' | 'avroRowValuesMax'
>;

/** An Avro object container file, its header read. */
export interface AvroContainer {
  /** The header's entries, `avro.schema` and `avro.codec` among them. */
  readonly metadata: ReadonlyMap<string, Uint8Array>;
  /** The schema's JSON as written. */
  readonly schema: unknown;
  readonly type: AvroType;
  /** Decompressed blocks in file order, one at a time. A fresh iteration decompresses again. */
  readonly blocks: Iterable<AvroBlock>;
}

export interface AvroBlock {
  readonly rows: number;
  readonly bytes: Uint8Array;
}

/**
 * Reads a container's header (Avro 1.12 specification, "Object Container Files"). The blocks throw CORRUPT_FILE where the file is cut
 * or a sync marker differs; a block of more than `decompressedBytesMax` bytes is LIMIT_EXCEEDED.
 */
export function openContainer(bytes: Uint8Array, limits: AvroLimits): AvroContainer {
  const cursor = new AvroCursor(bytes);
  if (!cursor.bytes.subarray(0, 4).equals(avroMagic)) {
    throw new ServiceError(
      'CORRUPT_FILE',
      'the file is not an Avro container: it does not begin with Obj and version 1',
    );
  }
  cursor.at = 4;
  const metadata = readHeader(cursor, limits.avroHeaderEntriesMax);
  const sync = cursor.bytes.subarray(cursor.skip(syncBytes), cursor.at);
  const text = metadata.get('avro.schema');
  if (text === undefined) throw new ServiceError('CORRUPT_FILE', "an Avro file's header has no schema");
  const schema = parseJson(Buffer.from(text).toString('utf8'), { code: 'CORRUPT_FILE', depthMax: 512 });
  const type = parseAvroSchema(schema, limits);
  const codec = Buffer.from(metadata.get('avro.codec') ?? 'null').toString('utf8');
  const start = cursor.at;
  return {
    metadata,
    schema,
    type,
    blocks: { [Symbol.iterator]: () => readBlocks(cursor.bytes, { start, sync, codec, type, limits }) },
  };
}

function readHeader(cursor: AvroCursor, entriesMax: number): Map<string, Uint8Array> {
  const metadata = new Map<string, Uint8Array>();
  for (let entries = cursor.blockCount(2); entries > 0; entries = cursor.blockCount(2)) {
    for (; entries > 0; entries--) {
      if (metadata.size === entriesMax) {
        throw new ServiceError('LIMIT_EXCEEDED', `an Avro file's header has more than ${entriesMax} entries`);
      }
      const key = cursor.bytes.toString('utf8', cursor.lengthPrefixed(), cursor.at);
      const start = cursor.lengthPrefixed();
      metadata.set(key, cursor.bytes.subarray(start, cursor.at));
    }
  }
  return metadata;
}

interface BlockContext {
  readonly start: number;
  readonly sync: Buffer;
  readonly codec: string;
  readonly type: AvroType;
  readonly limits: AvroLimits;
}

function* readBlocks(bytes: Buffer, { start, sync, codec, type, limits }: BlockContext): Generator<AvroBlock> {
  const cursor = new AvroCursor(bytes);
  cursor.at = start;
  // Blocks of a file mostly end at the same size.
  let bytesGuess = 0;
  while (cursor.left > 0) {
    const rows = cursor.safeLong();
    if (rows < 0) throw new ServiceError('CORRUPT_FILE', 'an Avro block has a negative number of rows');
    const from = cursor.lengthPrefixed();
    const compressed = cursor.bytes.subarray(from, cursor.at);
    const end = cursor.skip(syncBytes);
    if (!cursor.bytes.subarray(end, cursor.at).equals(sync)) {
      throw new ServiceError('CORRUPT_FILE', 'an Avro block does not end with the sync marker of its file');
    }
    if (bytesGuess === 0) bytesGuess = 4 * compressed.length;
    const block = decompressBlock(codec, compressed, limits.decompressedBytesMax, bytesGuess);
    bytesGuess = Math.ceil(1.1 * block.length);
    // Rows of no bytes at all are bounded by count, since no number of bytes bounds them.
    const rowsMax = type.minBytes > 0 ? Math.floor(block.length / type.minBytes) : limits.avroRowValuesMax;
    if (rows > rowsMax) throw new ServiceError('CORRUPT_FILE', 'an Avro block claims more rows than it can hold');
    if (rows === 0 && block.length > 0) throw new ServiceError('CORRUPT_FILE', 'an Avro block holds bytes but no rows');
    yield { rows, bytes: block };
  }
}
