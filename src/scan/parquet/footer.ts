import { ServiceError } from '../../core/errors.ts';
import type { ByteRange, ObjectStore } from '../../storage/object-store.ts';
import { type FileMetadata, type ParquetLimits, parseMetadata } from './metadata.ts';

/** A Parquet file whose footer has been read and checked; holds no open resource. */
export interface ParquetFile {
  readonly objects: ObjectStore;
  readonly location: string;
  readonly identity: string;
  readonly bytes: number;
  readonly limits: ParquetLimits;
  readonly metadata: FileMetadata;
  /** The footer as it lies in the file: statistics are parsed from it when they are asked for. */
  readonly footer: Uint8Array;
  /** The whole file, where the first read already brought all of it. */
  readonly whole: Uint8Array | null;
}

export interface OpenParquetOptions {
  readonly objects: ObjectStore;
  readonly location: string;
  /** The file's size, where the caller knows it together with `identity`; otherwise it is asked for. */
  readonly bytes?: number;
  readonly identity?: string;
  readonly limits: ParquetLimits;
  readonly signal: AbortSignal;
}

/** Most footers fit, so that one ranged read suffices. */
const tailBytes = 64 * 1024;
/** Footer length and magic at the end, magic at the start. */
const trailerBytes = 8;
const fileBytesMin = 12;

/**
 * Reads and checks a file's footer in one or two ranged reads. Throws CORRUPT_FILE naming what is wrong, UNSUPPORTED_FEATURE for an
 * encrypted footer, LIMIT_EXCEEDED for a footer beyond `footerBytesMax`, and what the store throws.
 */
export async function openParquet(options: OpenParquetOptions): Promise<ParquetFile> {
  const { objects, location, limits, signal } = options;
  const known =
    options.bytes !== undefined && options.identity !== undefined
      ? { bytes: options.bytes, identity: options.identity }
      : await objects.stat(location, signal);
  const { bytes, identity } = known;
  if (bytes < fileBytesMin) throw corrupt(`it has ${bytes} bytes, fewer than the smallest Parquet file`);
  const read = (range: ByteRange): Promise<Uint8Array> => objects.read(location, range, signal, identity);

  const tailStart = Math.max(0, bytes - tailBytes);
  const tail = await read({ start: tailStart, end: bytes });
  const whole = tailStart === 0 ? tail : null;
  if (whole !== null) checkMagic(whole.subarray(0, 4), 'start');
  checkMagic(tail.subarray(tail.length - 4), 'end');
  const footerBytes = new DataView(tail.buffer, tail.byteOffset + tail.length - trailerBytes, 4).getUint32(0, true);
  if (footerBytes > limits.footerBytesMax) {
    throw new ServiceError(
      'LIMIT_EXCEEDED',
      `the Parquet footer has ${footerBytes} bytes; at most ${limits.footerBytesMax} are read`,
    );
  }
  const dataEnd = bytes - trailerBytes - footerBytes;
  if (dataEnd < 4) throw corrupt(`its footer of ${footerBytes} bytes does not fit into its ${bytes} bytes`);
  const footer =
    dataEnd >= tailStart
      ? tail.slice(dataEnd - tailStart, tail.length - trailerBytes)
      : await readRest(read, dataEnd, tailStart, tail);
  return {
    objects,
    location,
    identity,
    bytes,
    limits,
    metadata: parseMetadata(footer, dataEnd, limits),
    footer,
    whole,
  };
}

async function readRest(
  read: (range: ByteRange) => Promise<Uint8Array>,
  dataEnd: number,
  tailStart: number,
  tail: Uint8Array,
): Promise<Uint8Array> {
  const head = await read({ start: dataEnd, end: tailStart });
  const footer = new Uint8Array(head.length + tail.length - trailerBytes);
  footer.set(head);
  footer.set(tail.subarray(0, tail.length - trailerBytes), head.length);
  return footer;
}

function checkMagic(magic: Uint8Array, place: 'start' | 'end'): void {
  const text = String.fromCharCode(...magic);
  if (text === 'PARE') {
    throw new ServiceError(
      'UNSUPPORTED_FEATURE',
      'the Parquet file has an encrypted footer; only plain files are read',
    );
  }
  if (text !== 'PAR1') throw corrupt(`the magic PAR1 is missing at its ${place}`);
}

const corrupt = (problem: string): ServiceError =>
  new ServiceError('CORRUPT_FILE', `the Parquet file is damaged: ${problem}`);
