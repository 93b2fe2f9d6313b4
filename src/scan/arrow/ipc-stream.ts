import { ServiceError } from '../../core/errors.ts';
import { defaultLimits } from '../../core/limits.ts';
import type { ArrowSchema, Batch } from './column.ts';
import { createIpcDecoder, type IpcDecoder, messageBodyBytes } from './ipc-decoder.ts';
import type { IpcLimits, MalformedCode } from './ipc-wire.ts';

/** The schema at once, the batches as they are asked for. */
export interface IpcContents {
  readonly schema: ArrowSchema;
  readonly batches: AsyncIterable<Batch>;
}

export type Chunks = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/** The batches of an IPC stream of unknown origin; errors as {@link openIpcStream}. */
export async function* readIpcStream(
  chunks: Chunks,
  limits: IpcLimits = defaultLimits,
  code: MalformedCode = 'INVALID_REQUEST',
): AsyncIterable<Batch> {
  const { batches } = await openIpcStream(chunks, limits, code);
  yield* batches;
}

/**
 * Reads the IPC streaming format, with the framing of 0.15 on (0xFFFFFFFF, length) and the one before it (length). A stream may
 * end without its end mark, but never within a message. A message whose header or body exceeds `decompressedBytesMax` is
 * LIMIT_EXCEEDED; memory grows with the bytes that arrived, never with a length that was claimed.
 */
export async function openIpcStream(
  chunks: Chunks,
  limits: IpcLimits = defaultLimits,
  code: MalformedCode = 'INVALID_REQUEST',
): Promise<IpcContents> {
  const source = new ByteSource(chunks, limits.decompressedBytesMax, code);
  const first = await readHeader(source, code);
  if (first === null) throw new ServiceError(code, 'Arrow IPC: the stream has no schema');
  const decoder = createIpcDecoder(limits, code);
  const schema = decoder.readSchema(first);
  await source.read(messageBodyBytes(first, code));
  return { schema, batches: readBatches(source, decoder, code) };
}

async function* readBatches(source: ByteSource, decoder: IpcDecoder, code: MalformedCode): AsyncIterable<Batch> {
  for (let header = await readHeader(source, code); header !== null; header = await readHeader(source, code)) {
    const batch = decoder.readMessage(header, await source.read(messageBodyBytes(header, code)));
    if (batch !== null) yield batch;
  }
}

const continuation = -1;

/** The next message's header; null at the end of the stream. */
async function readHeader(source: ByteSource, code: MalformedCode): Promise<Uint8Array | null> {
  if (await source.atEnd()) return null;
  let length = int32(await source.read(4));
  if (length === continuation) length = int32(await source.read(4));
  if (length === 0) return null;
  if (length < 0) throw new ServiceError(code, `Arrow IPC: a message claims a header of ${length} bytes`);
  return source.read(length);
}

const int32 = (bytes: Uint8Array): number => new DataView(bytes.buffer, bytes.byteOffset).getInt32(0, true);

/** Takes exact numbers of bytes off chunks of any size; a run within one chunk is a view of it. */
class ByteSource {
  readonly #chunks: AsyncIterator<Uint8Array> | Iterator<Uint8Array>;
  readonly #bytesMax: number;
  readonly #code: MalformedCode;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(chunks: Chunks, bytesMax: number, code: MalformedCode) {
    const parts = chunks instanceof Uint8Array ? [chunks] : chunks;
    this.#chunks = Symbol.asyncIterator in parts ? parts[Symbol.asyncIterator]() : parts[Symbol.iterator]();
    this.#bytesMax = bytesMax;
    this.#code = code;
  }

  async atEnd(): Promise<boolean> {
    while (this.#rest.length === 0) {
      const next = await this.#chunks.next();
      if (next.done) return true;
      this.#rest = next.value;
    }
    return false;
  }

  async read(bytes: number): Promise<Uint8Array> {
    if (bytes > this.#bytesMax) {
      throw new ServiceError(
        'LIMIT_EXCEEDED',
        `Arrow IPC: a message of ${bytes} bytes; at most ${this.#bytesMax} are read`,
      );
    }
    const parts: Uint8Array[] = [];
    let missing = bytes;
    while (missing > 0) {
      if (await this.atEnd()) throw new ServiceError(this.#code, 'Arrow IPC: the stream ends within a message');
      const part = this.#rest.subarray(0, missing);
      this.#rest = this.#rest.subarray(part.length);
      missing -= part.length;
      parts.push(part);
    }
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts, bytes);
  }
}
