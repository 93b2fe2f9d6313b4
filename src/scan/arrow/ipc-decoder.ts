import { DictionaryBatch } from 'apache-arrow/fb/dictionary-batch';
import { Message } from 'apache-arrow/fb/message';
import { MessageHeader } from 'apache-arrow/fb/message-header';
import { MetadataVersion } from 'apache-arrow/fb/metadata-version';
import { RecordBatch } from 'apache-arrow/fb/record-batch';
import { ByteBuffer, Encoding } from 'flatbuffers';
import { ServiceError } from '../../core/errors.ts';
import { defaultLimits } from '../../core/limits.ts';
import type { ArrowSchema, Batch, Column } from './column.ts';
import { openBuffers } from './ipc-buffers.ts';
import { columnReader } from './ipc-columns.ts';
import { checkVersion, decodeSchema } from './ipc-schema.ts';
import type { DecodedSchema, IpcLimits, MalformedCode } from './ipc-wire.ts';
import { createByteBudget } from './kernels/byte-budget.ts';
import { columnBytes } from './kernels/bytes.ts';
import { concatColumns } from './kernels/concat.ts';

/** Reads the messages of one IPC stream in order, each fully validated: nothing in them is trusted. */
export interface IpcDecoder {
  /** The schema, from the first message's header. */
  readSchema(header: Uint8Array): ArrowSchema;
  /** A batch, or null for a dictionary, which is kept for the batches to come. The batch shares the body's memory. */
  readMessage(header: Uint8Array, body: Uint8Array): Batch | null;
}

/**
 * A decoder for data of unknown origin. Throws `code` for malformed messages, UNSUPPORTED_FEATURE for Arrow types that have no
 * column of ours, LIMIT_EXCEEDED where a message unfolds beyond `decompressedBytesMax` or dictionaries beyond
 * `dictionariesBytesMax`. After an error the decoder is of no use.
 */
export function createIpcDecoder(
  limits: IpcLimits = defaultLimits,
  code: MalformedCode = 'INVALID_REQUEST',
): IpcDecoder {
  let decoded: DecodedSchema | null = null;
  return createDecoder(limits, code, {
    get: () => decoded,
    set: (schema) => {
      decoded = schema;
    },
  });
}

/** The same with the schema already at hand, as a file's footer gives it. */
export function decoderOf(schema: DecodedSchema, limits: IpcLimits, code: MalformedCode): IpcDecoder {
  return createDecoder(limits, code, { get: () => schema, set: () => {} });
}

interface SchemaSlot {
  get(): DecodedSchema | null;
  set(schema: DecodedSchema): void;
}

interface Received {
  readonly header: Uint8Array;
  readonly body: Uint8Array;
  readonly isV4: boolean;
}

// Every delta copies the dictionary that it extends: so many times the dictionaries' limit may be copied in one stream.
const deltaCopies = 8;

function createDecoder(limits: IpcLimits, code: MalformedCode, slot: SchemaSlot): IpcDecoder {
  const dictionaries = new Map<bigint, Column>();
  const deltas = createByteBudget(deltaCopies * limits.dictionariesBytesMax);

  const fail = (what: string): ServiceError => new ServiceError(code, `Arrow IPC: ${what}`);

  function open(batch: RecordBatch, { header, body, isV4 }: Received, schema: DecodedSchema) {
    const budget = createByteBudget(limits.decompressedBytesMax);
    const headerBytes = header.length;
    const source = openBuffers({ batch, headerBytes, body, rowsMax: limits.messageRowsMax, budget, code });
    return { source, reader: columnReader({ source, bigEndian: schema.bigEndian, isV4, dictionaries, code }) };
  }

  function readBatch(batch: RecordBatch, received: Received, schema: DecodedSchema): Batch {
    const { source, reader } = open(batch, received, schema);
    const columns = schema.wire.map((wire) => reader.read(wire, source.rows, []));
    source.finish();
    return { schema: schema.schema, rows: source.rows, columns };
  }

  function keepDictionary(table: DictionaryBatch, received: Received, schema: DecodedSchema): void {
    const id = table.id();
    const wire = schema.dictionaries.get(id);
    const data = table.data(new RecordBatch());
    if (wire === undefined || data === null) throw fail(`dictionary ${id} is not one of the schema's`);
    const { source, reader } = open(data, received, schema);
    const values = reader.readDictionary(wire);
    source.finish();
    if (values.length !== source.rows) throw fail(`dictionary ${id}: its column and its batch differ in length`);
    const known = table.isDelta() ? dictionaries.get(id) : undefined;
    if (known !== undefined) deltas.charge(columnBytes(known) + columnBytes(values));
    dictionaries.set(id, known === undefined ? values : concatColumns([known, values]));
    checkDictionaries();
  }

  function checkDictionaries(): void {
    let bytes = 0;
    for (const dictionary of dictionaries.values()) bytes += columnBytes(dictionary);
    if (bytes <= limits.dictionariesBytesMax) return;
    const max = limits.dictionariesBytesMax;
    throw new ServiceError('LIMIT_EXCEEDED', `Arrow IPC: the dictionaries hold more than ${max} bytes`);
  }

  return {
    readSchema(header) {
      const schema = decodeSchema(header, limits, code);
      slot.set(schema);
      return schema.schema;
    },
    readMessage(header, body) {
      const schema = slot.get();
      if (schema === null) throw fail('a batch came before the schema');
      const message = Message.getRootAsMessage(new ByteBuffer(header));
      checkVersion(message.version(), code);
      if (messageBodyBytes(header, code) > body.length) throw fail('a message is shorter than its header says');
      const received = { header, body, isV4: message.version() === MetadataVersion.V4 };
      if (received.isV4) refuseOldCompression(message, header.length);
      switch (message.headerType()) {
        case MessageHeader.RecordBatch: {
          const batch: RecordBatch | null = message.header(new RecordBatch());
          if (batch === null) throw fail('a record batch is empty');
          return readBatch(batch, received, schema);
        }
        case MessageHeader.DictionaryBatch: {
          const batch: DictionaryBatch | null = message.header(new DictionaryBatch());
          if (batch === null) throw fail('a dictionary batch is empty');
          keepDictionary(batch, received, schema);
          return null;
        }
        case MessageHeader.Schema:
          throw fail('a second schema in one stream');
        case MessageHeader.Tensor:
        case MessageHeader.SparseTensor:
          throw new ServiceError('UNSUPPORTED_FEATURE', 'Arrow IPC: tensors are not supported, only record batches');
        default:
          throw fail('a message of an unknown kind');
      }
    },
  };
}

/** The length of the body that follows a message's header. Throws `code` where it is no length. */
export function messageBodyBytes(header: Uint8Array, code: MalformedCode): number {
  const bytes = Message.getRootAsMessage(new ByteBuffer(header)).bodyLength();
  if (bytes < 0n || bytes > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new ServiceError(code, `Arrow IPC: a message claims ${bytes} bytes`);
  }
  return Number(bytes);
}

/** Arrow 0.17 compressed V4 batches and said so in the message's metadata alone: unread, their bytes would pass for values. */
function refuseOldCompression(message: Message, headerBytes: number): void {
  const pairs = Math.min(message.customMetadataLength(), headerBytes >> 2);
  for (let at = 0; at < pairs; at++) {
    const key = message.customMetadata(at)?.key(Encoding.UTF8_BYTES);
    if (key instanceof Uint8Array && Buffer.from(key).toString('latin1') === 'ARROW:experimental_compression') {
      throw new ServiceError(
        'UNSUPPORTED_FEATURE',
        'Arrow IPC: the compression of Arrow 0.17 is not supported: write V5',
      );
    }
  }
}
