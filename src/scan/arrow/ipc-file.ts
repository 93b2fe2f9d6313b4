import { Block } from 'apache-arrow/fb/block';
import { Footer } from 'apache-arrow/fb/footer';
import { ByteBuffer } from 'flatbuffers';
import { ServiceError } from '../../core/errors.ts';
import { defaultLimits } from '../../core/limits.ts';
import type { Batch } from './column.ts';
import { decoderOf, type IpcDecoder, messageBodyBytes } from './ipc-decoder.ts';
import { checkVersion, decodeSchemaTable } from './ipc-schema.ts';
import type { IpcContents } from './ipc-stream.ts';
import type { IpcLimits, MalformedCode } from './ipc-wire.ts';

/** The batches of an IPC file of unknown origin; errors as {@link openIpcFile}. */
export async function* readIpcFile(
  file: Uint8Array,
  limits: IpcLimits = defaultLimits,
  code: MalformedCode = 'CORRUPT_FILE',
): AsyncIterable<Batch> {
  yield* openIpcFile(file, limits, code).batches;
}

const magic = [0x41, 0x52, 0x52, 0x4f, 0x57, 0x31];
const firstMessage = 8;
// The footer's length and the magic.
const tailBytes = 10;
const blockBytes = 24;

export const isIpcFile = (bytes: Uint8Array): boolean => magic.every((byte, at) => bytes[at] === byte);

interface BlockRange {
  readonly start: number;
  readonly headerEnd: number;
  readonly end: number;
}

/**
 * Opens the random-access file format by its footer. All dictionaries are read before the first batch. Throws `code` where the
 * footer or a block that it names is malformed, and for blocks that overlap.
 */
export function openIpcFile(
  file: Uint8Array,
  limits: IpcLimits = defaultLimits,
  code: MalformedCode = 'CORRUPT_FILE',
): IpcContents {
  const fail = (what: string): ServiceError => new ServiceError(code, `Arrow IPC file: ${what}`);
  if (file.length < firstMessage + tailBytes || !isIpcFile(file) || !isIpcFile(file.subarray(-magic.length))) {
    throw fail('it does not begin and end with ARROW1');
  }
  const footerEnd = file.length - tailBytes;
  const footerBytes = new DataView(file.buffer, file.byteOffset).getInt32(footerEnd, true);
  const footerStart = footerEnd - footerBytes;
  if (footerBytes <= 0 || footerStart < firstMessage) throw fail('its footer has an impossible length');
  const footer = Footer.getRootAsFooter(new ByteBuffer(file.subarray(footerStart, footerEnd)));
  checkVersion(footer.version(), code);
  const table = footer.schema();
  if (table === null) throw fail('its footer has no schema');
  const decoded = decodeSchemaTable(table, footerBytes, limits, code);
  const decoder = decoderOf(decoded, limits, code);
  let bytesLeft = footerStart;

  const ranges = (count: number, at: (index: number, block: Block) => Block | null): BlockRange[] => {
    if (count < 0 || count * blockBytes > footerBytes) throw fail('its footer claims more blocks than it has bytes');
    return Array.from({ length: count }, (_, index) => rangeOf(at(index, new Block())));
  };

  function rangeOf(block: Block | null): BlockRange {
    if (block === null) throw fail('its footer lacks a block');
    const start = Number(block.offset());
    const headerEnd = start + block.metaDataLength();
    const end = headerEnd + Number(block.bodyLength());
    if (!(start >= firstMessage && headerEnd >= start + 4 && end >= headerEnd && end <= footerStart)) {
      throw fail('a block lies outside the file');
    }
    // Blocks that share bytes would let a small file stand for any number of batches.
    bytesLeft -= end - start;
    if (bytesLeft < 0) throw fail('its blocks overlap');
    return { start, headerEnd, end };
  }

  const dictionaries = ranges(footer.dictionariesLength(), (index, block) => footer.dictionaries(index, block));
  const batches = ranges(footer.recordBatchesLength(), (index, block) => footer.recordBatches(index, block));
  return { schema: decoded.schema, batches: readBlocks(file, decoder, dictionaries, batches, code) };
}

async function* readBlocks(
  file: Uint8Array,
  decoder: IpcDecoder,
  dictionaries: readonly BlockRange[],
  batches: readonly BlockRange[],
  code: MalformedCode,
): AsyncIterable<Batch> {
  for (const range of dictionaries) readBlock(file, decoder, range, code);
  for (const range of batches) {
    const batch = readBlock(file, decoder, range, code);
    if (batch !== null) yield batch;
  }
}

function readBlock(file: Uint8Array, decoder: IpcDecoder, range: BlockRange, code: MalformedCode): Batch | null {
  const header = headerOf(file.subarray(range.start, range.headerEnd), code);
  const body = file.subarray(range.headerEnd, range.end);
  if (messageBodyBytes(header, code) > body.length) {
    throw new ServiceError(code, 'Arrow IPC file: a message is longer than its block');
  }
  return decoder.readMessage(header, body);
}

/** A block's metadata begins like a message of a stream: 0xFFFFFFFF and the length, or before Arrow 0.15 the length alone. */
function headerOf(bytes: Uint8Array, code: MalformedCode): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const continued = view.getInt32(0, true) === -1 && bytes.length >= 8;
  const prefix = continued ? 8 : 4;
  const length = view.getInt32(prefix - 4, true);
  if (length <= 0 || prefix + length > bytes.length) {
    throw new ServiceError(code, 'Arrow IPC file: a message has an impossible length');
  }
  return bytes.subarray(prefix, prefix + length);
}
