import { BodyCompression } from 'apache-arrow/fb/body-compression';
import { BodyCompressionMethod } from 'apache-arrow/fb/body-compression-method';
import { Buffer as BufferTable } from 'apache-arrow/fb/buffer';
import { CompressionType } from 'apache-arrow/fb/compression-type';
import { DictionaryBatch } from 'apache-arrow/fb/dictionary-batch';
import { FieldNode } from 'apache-arrow/fb/field-node';
import { Message } from 'apache-arrow/fb/message';
import { MessageHeader } from 'apache-arrow/fb/message-header';
import { MetadataVersion } from 'apache-arrow/fb/metadata-version';
import { RecordBatch } from 'apache-arrow/fb/record-batch';
import { Builder } from 'flatbuffers';
import type { BodyWriter } from './ipc-body.ts';

interface Encoded {
  readonly header: Uint8Array;
  readonly body: readonly Uint8Array[];
  readonly bodyBytes: number;
}

/** The RecordBatch message over a body, metadata version V5. */
export function encodeRecordBatch(body: BodyWriter, rows: number): Encoded {
  const builder = new Builder(256 + 8 * (body.nodes.length + body.buffers.length));
  return finish(builder, body, MessageHeader.RecordBatch, writeBatch(builder, body, rows));
}

/** The DictionaryBatch message over a body of one column; it replaces what the id stood for before. */
export function encodeDictionaryBatch(body: BodyWriter, rows: number, id: number): Encoded {
  const builder = new Builder(256);
  const data = writeBatch(builder, body, rows);
  DictionaryBatch.startDictionaryBatch(builder);
  DictionaryBatch.addId(builder, BigInt(id));
  DictionaryBatch.addData(builder, data);
  return finish(builder, body, MessageHeader.DictionaryBatch, DictionaryBatch.endDictionaryBatch(builder));
}

function finish(builder: Builder, body: BodyWriter, type: MessageHeader, header: number): Encoded {
  builder.finish(Message.createMessage(builder, MetadataVersion.V5, type, header, BigInt(body.byteLength), 0));
  return { header: builder.asUint8Array(), body: body.parts, bodyBytes: body.byteLength };
}

function writeBatch(builder: Builder, body: BodyWriter, rows: number): number {
  // Flatbuffers are built from the end: the vectors' structs go in backwards.
  RecordBatch.startNodesVector(builder, body.nodes.length / 2);
  for (let at = body.nodes.length - 2; at >= 0; at -= 2) {
    FieldNode.createFieldNode(builder, BigInt(body.nodes[at]!), BigInt(body.nodes[at + 1]!));
  }
  const nodes = builder.endVector();
  RecordBatch.startBuffersVector(builder, body.buffers.length / 2);
  for (let at = body.buffers.length - 2; at >= 0; at -= 2) {
    BufferTable.createBuffer(builder, BigInt(body.buffers[at]!), BigInt(body.buffers[at + 1]!));
  }
  const buffers = builder.endVector();
  const compression = writeCompression(builder, body);
  RecordBatch.startRecordBatch(builder);
  RecordBatch.addLength(builder, BigInt(rows));
  RecordBatch.addNodes(builder, nodes);
  RecordBatch.addBuffers(builder, buffers);
  if (compression !== 0) RecordBatch.addCompression(builder, compression);
  return RecordBatch.endRecordBatch(builder);
}

function writeCompression(builder: Builder, body: BodyWriter): number {
  if (body.codec === null) return 0;
  const codec = body.codec === 'zstd' ? CompressionType.ZSTD : CompressionType.LZ4_FRAME;
  return BodyCompression.createBodyCompression(builder, codec, BodyCompressionMethod.BUFFER);
}
