import { BodyCompression } from 'apache-arrow/fb/body-compression';
import { BodyCompressionMethod } from 'apache-arrow/fb/body-compression-method';
import { Buffer as BufferTable } from 'apache-arrow/fb/buffer';
import { CompressionType } from 'apache-arrow/fb/compression-type';
import { FieldNode } from 'apache-arrow/fb/field-node';
import type { RecordBatch } from 'apache-arrow/fb/record-batch';
import { ServiceError } from '../../core/errors.ts';
import { decompressBuffer, type IpcCodec } from './ipc-compression.ts';
import type { MalformedCode } from './ipc-wire.ts';
import type { ByteBudget } from './kernels/byte-budget.ts';

export interface Node {
  readonly length: number;
  readonly nullCount: number;
}

/** The nodes and buffers of one RecordBatch table, taken in pre-order, each checked as it is taken. */
export interface BufferSource {
  readonly rows: number;
  /** Every byte that reading allocates is charged here. */
  readonly budget: ByteBudget;
  node(): Node;
  buffer(): Uint8Array;
  /** How many data buffers the next view column has. */
  variadicCount(): number;
  /** Throws where nodes or buffers are left over. */
  finish(): void;
}

interface SourceOptions {
  readonly batch: RecordBatch;
  readonly headerBytes: number;
  readonly body: Uint8Array;
  readonly rowsMax: number;
  readonly budget: ByteBudget;
  readonly code: MalformedCode;
}

/** Opens a RecordBatch of unknown origin: counts fit the header, buffers lie within the body and do not overlap in total. */
export function openBuffers({ batch, headerBytes, body, rowsMax, budget, code }: SourceOptions): BufferSource {
  const fail = (what: string): ServiceError => new ServiceError(code, `Arrow IPC: the record batch ${what}`);
  const nodes = countOf(batch.nodesLength(), 16, 'nodes');
  const buffers = countOf(batch.buffersLength(), 16, 'buffers');
  const variadics = countOf(batch.variadicBufferCountsLength(), 8, 'variadic counts');
  const codec = codecOf(batch, fail);
  const nodeTable = new FieldNode();
  const bufferTable = new BufferTable();
  let nodesTaken = 0;
  let buffersTaken = 0;
  let variadicsTaken = 0;
  // Buffers that share bytes would let a small body stand for a large batch; no writer makes them.
  let bytesLeft = body.length;

  function countOf(count: number, bytes: number, what: string): number {
    if (count < 0 || count * bytes > headerBytes) throw fail(`claims more ${what} than its header has bytes`);
    return count;
  }

  function toCount(value: bigint, max: number, what: string): number {
    if (value < 0n || value > BigInt(max)) throw fail(`has ${value} ${what}: 0 to ${max} are allowed`);
    return Number(value);
  }

  return {
    rows: toCount(batch.length(), rowsMax, 'rows'),
    budget,
    node() {
      if (nodesTaken >= nodes) throw fail('has fewer nodes than its schema needs');
      const node = batch.nodes(nodesTaken++, nodeTable);
      if (node === null) throw fail('has no nodes');
      const length = toCount(node.length(), rowsMax, 'rows in a column');
      return { length, nullCount: toCount(node.nullCount(), length, 'nulls in a column') };
    },
    buffer() {
      if (buffersTaken >= buffers) throw fail('has fewer buffers than its schema needs');
      const buffer = batch.buffers(buffersTaken++, bufferTable);
      if (buffer === null) throw fail('has no buffers');
      const length = toCount(buffer.length(), body.length, 'bytes in a buffer');
      if (length === 0) return body.subarray(0, 0);
      const offset = toCount(buffer.offset(), body.length - length, 'as the offset of a buffer');
      bytesLeft -= length;
      if (bytesLeft < 0) throw fail('has buffers that overlap');
      const bytes = body.subarray(offset, offset + length);
      return codec === null ? bytes : decompressBuffer(bytes, codec, code, budget);
    },
    variadicCount() {
      if (variadicsTaken >= variadics) throw fail('has fewer variadic counts than its schema needs');
      const count = batch.variadicBufferCounts(variadicsTaken++) ?? -1n;
      return toCount(count, buffers - buffersTaken, 'as a variadic count');
    },
    finish() {
      if (nodesTaken < nodes || buffersTaken < buffers) throw fail('has more nodes or buffers than its schema');
    },
  };
}

function codecOf(batch: RecordBatch, fail: (what: string) => ServiceError): IpcCodec | null {
  const compression = batch.compression(new BodyCompression());
  if (compression === null) return null;
  if (compression.method() !== BodyCompressionMethod.BUFFER) throw fail('has an unknown compression method');
  switch (compression.codec()) {
    case CompressionType.LZ4_FRAME:
      return 'lz4';
    case CompressionType.ZSTD:
      return 'zstd';
    default:
      throw fail('has an unknown compression codec: LZ4_FRAME and ZSTD are known');
  }
}
