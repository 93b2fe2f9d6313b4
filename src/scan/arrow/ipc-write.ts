import type { ArrowSchema, Batch, Column, DictionaryColumn, WireBatch } from './column.ts';
import { type BodyWriter, bodyWriter } from './ipc-body.ts';
import type { IpcCompression } from './ipc-compression.ts';
import { encodeDictionaryBatch, encodeRecordBatch } from './ipc-message.ts';
import { type DictionaryIds, encodeSchema } from './ipc-schema.ts';
import { bitAt } from './kernels/bitmap.ts';
import { hydrate } from './kernels/hydrate.ts';
import { sliceColumn } from './kernels/slice.ts';

/** One IPC message. The parts of the body are to be written one after another; they share the columns' buffers. */
export interface EncodedMessage {
  /** The flatbuffer Message, without framing or padding. */
  readonly header: Uint8Array;
  readonly body: readonly Uint8Array[];
  readonly bodyBytes: number;
}

export interface IpcOptions {
  readonly compression: IpcCompression;
  /** Whether dictionary columns are sent as such; otherwise they are hydrated. */
  readonly dictionaries: boolean;
}

const plain: IpcOptions = { compression: 'none', dictionaries: false };

/**
 * One batch: the dictionaries that it needs (ids in pre-order of its dictionary columns), then the record batch. The schema
 * message that belongs to it is `encodeSchema(batch.schema, dictionaryIds(batch))`; a stream of batches takes
 * {@link createIpcEncoder}, which keeps the two in step.
 */
export function encodeBatch(batch: Batch, options: IpcOptions): EncodedMessage[] {
  const ids = options.dictionaries ? dictionaryIds(batch) : new Map<string, number>();
  return encodeWith(batch, ids, new Map(), options);
}

/** Ids for the columns, at any depth, that the batch holds with a dictionary; a dictionary's own values are always plain. */
export function dictionaryIds(batch: WireBatch): DictionaryIds {
  const ids = new Map<string, number>();
  const visit = (column: Column, key: string): void => {
    if (column.kind === 'dictionary') ids.set(key, ids.size);
    else
      childColumns(column).forEach((child, at) => {
        visit(child, `${key}.${at}`);
      });
  };
  batch.columns.forEach((column, at) => {
    if (column.kind !== 'stored') visit(column, String(at));
  });
  return ids;
}

function childColumns(column: Column): readonly Column[] {
  if (column.kind === 'struct') return column.children;
  return column.kind === 'list' || column.kind === 'fixed-list' ? [column.child] : [];
}

export interface IpcEncoder {
  /** The messages of the next batch, the schema before the first one. The last message is always the record batch. */
  encode(batch: WireBatch): EncodedMessage[];
  /** What is still to be written at the end: the schema of a stream without batches. */
  finish(): EncodedMessage[];
}

/**
 * Encodes the batches of one stream, all of `schema`. With `dictionaries`, the columns that the first batch holds with a
 * dictionary are sent with one throughout: a later batch that holds them plain is wrapped, and a dictionary is sent again only
 * when another one takes its place.
 */
export function createIpcEncoder(schema: ArrowSchema, options: IpcOptions): IpcEncoder {
  let ids: DictionaryIds | null = null;
  const sent = new Map<string, Column>();
  const start = (batch: WireBatch | null): EncodedMessage => {
    ids = options.dictionaries && batch !== null ? dictionaryIds(batch) : new Map();
    return { header: encodeSchema(schema, ids), body: [], bodyBytes: 0 };
  };
  return {
    encode(batch) {
      const first = ids === null ? [start(batch)] : [];
      return [...first, ...encodeWith(batch, ids!, sent, options)];
    },
    finish: () => (ids === null ? [start(null)] : []),
  };
}

function encodeWith(
  batch: WireBatch,
  ids: DictionaryIds,
  sent: Map<string, Column>,
  options: IpcOptions,
): EncodedMessage[] {
  const messages: EncodedMessage[] = [];
  const body = bodyWriter(options.compression);
  const sendDictionary = (key: string, dictionary: Column): void => {
    if (sent.get(key) === dictionary) return;
    const values = bodyWriter(options.compression);
    writeColumn(values, hydrate(dictionary), '', new Map(), () => {});
    messages.push(encodeDictionaryBatch(values, dictionary.length, ids.get(key)!));
    sent.set(key, dictionary);
  };
  batch.columns.forEach((column, at) => {
    if (column.kind === 'stored') {
      body.node(column.length, 0);
      body.bytes(noBytes);
      body.stored(column);
    } else writeColumn(body, column, String(at), ids, sendDictionary);
  });
  messages.push(encodeRecordBatch(body, batch.rows));
  return messages;
}

const noBytes = new Uint8Array(0);

type SendDictionary = (key: string, dictionary: Column) => void;

/** Nodes and buffers of a column and its children in pre-order (Arrow columnar format, "RecordBatch message"). */
function writeColumn(body: BodyWriter, column: Column, key: string, ids: DictionaryIds, send: SendDictionary): void {
  if (ids.has(key)) {
    const encoded = asDictionary(column);
    send(key, encoded.dictionary);
    writeNode(body, encoded);
    body.words(encoded.indices.subarray(0, encoded.length));
    return;
  }
  if (column.kind === 'dictionary') {
    writeColumn(body, hydrate(column), key, ids, send);
    return;
  }
  writeNode(body, column);
  switch (column.kind) {
    case 'null':
      return;
    case 'fixed':
      body.bytes(column.values.subarray(0, column.length * column.width));
      return;
    case 'bool':
      body.bits(column.values, column.length);
      return;
    case 'bytes':
      body.words(column.offsets.subarray(0, column.length + 1));
      body.bytes(column.values.subarray(0, column.offsets[column.length]!));
      return;
    case 'list':
      body.words(column.offsets.subarray(0, column.length + 1));
      writeColumn(body, sliceColumn(column.child, 0, column.offsets[column.length]!), `${key}.0`, ids, send);
      return;
    case 'fixed-list':
      writeColumn(body, sliceColumn(column.child, 0, column.length * column.size), `${key}.0`, ids, send);
      return;
    case 'struct':
      column.children.forEach((child, at) => {
        writeColumn(body, child, `${key}.${at}`, ids, send);
      });
      return;
    default:
      column satisfies never;
  }
}

function writeNode(body: BodyWriter, column: Column): void {
  body.node(column.length, column.nullCount);
  if (column.kind === 'null') return;
  if (column.validity === null) body.bytes(noBytes);
  else body.bits(column.validity, column.length);
}

/** A plain column becomes its own dictionary, without its nulls: the indices carry those. */
function asDictionary(column: Column): DictionaryColumn {
  if (column.kind === 'dictionary') return column;
  const indices = new Int32Array(column.length);
  const { validity } = column;
  for (let row = 0; row < indices.length; row++)
    if (validity === null || bitAt(validity, row) === 1) indices[row] = row;
  const dictionary = column.kind === 'null' ? column : { ...column, validity: null, nullCount: 0 };
  const { type, length, nullCount } = column;
  return { kind: 'dictionary', type, length, nullCount, validity, indices, dictionary };
}

/** The stream's bytes of a message (Arrow columnar format, "Encapsulated message format"). */
export function frameMessage(message: EncodedMessage): Uint8Array[] {
  const padded = (message.header.length + 7) & ~7;
  const head = new Uint8Array(8 + padded);
  const view = new DataView(head.buffer);
  view.setUint32(0, 0xffffffff, true);
  view.setInt32(4, padded, true);
  head.set(message.header, 8);
  return [head, ...message.body];
}

const endOfStream = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0);

/** The whole IPC streaming format of some batches of one schema, end mark included. */
export async function* writeIpcStream(
  schema: ArrowSchema,
  batches: AsyncIterable<Batch> | Iterable<Batch>,
  options: IpcOptions = plain,
): AsyncIterable<Uint8Array> {
  const encoder = createIpcEncoder(schema, options);
  for await (const batch of batches) {
    for (const message of encoder.encode(batch)) yield* frameMessage(message);
  }
  for (const message of encoder.finish()) yield* frameMessage(message);
  yield endOfStream;
}
