import { ServiceError } from '../../core/errors.ts';
import type { ParquetWasm } from '../../scan/parquet/wasm.ts';

const codecs = {
  zstd: 'ZSTD',
  snappy: 'SNAPPY',
  gzip: 'GZIP',
  brotli: 'BROTLI',
  lz4: 'LZ4_RAW',
  uncompressed: 'UNCOMPRESSED',
} as const;
const pageVersions = { v1: 'V1', v2: 'V2' } as const;

/** How data files are written, from a table's properties. */
export interface ParquetWriterOptions {
  readonly codec: (typeof codecs)[keyof typeof codecs];
  readonly pageVersion: (typeof pageVersions)[keyof typeof pageVersions];
  readonly pageBytes: number;
  readonly dictionaryBytes: number;
}

export const codecProperty = 'write.parquet.compression-codec';
export const pageVersionProperty = 'write.parquet.page-version';
export const pageBytesProperty = 'write.parquet.page-size-bytes';
export const dictionaryBytesProperty = 'write.parquet.dict-size-bytes';

/** Throws INVALID_REQUEST naming the property whose value is none of those allowed. */
export function parquetWriterOptions(properties: ReadonlyMap<string, string>): ParquetWriterOptions {
  return {
    codec: codecs[choice(properties, codecProperty, codecs, 'zstd')],
    pageVersion: pageVersions[choice(properties, pageVersionProperty, pageVersions, 'v2')],
    pageBytes: bytes(properties, pageBytesProperty, 1 << 20),
    dictionaryBytes: bytes(properties, dictionaryBytesProperty, 2 << 20),
  };
}

function choice<Choice extends string>(
  properties: ReadonlyMap<string, string>,
  name: string,
  allowed: Readonly<Record<Choice, string>>,
  preset: Choice,
): Choice {
  const value = properties.get(name)?.toLowerCase() ?? preset;
  if (Object.hasOwn(allowed, value)) return value as Choice;
  const known = Object.keys(allowed).join(', ');
  throw new ServiceError(
    'INVALID_REQUEST',
    `the table property ${name} is ${JSON.stringify(value)}: it must be one of ${known}`,
  );
}

const bytesMax = 1 << 30;

function bytes(properties: ReadonlyMap<string, string>, name: string, preset: number): number {
  const text = properties.get(name);
  if (text === undefined) return preset;
  const value = Number(text);
  if (Number.isInteger(value) && value > 0 && value <= bytesMax) return value;
  throw new ServiceError(
    'INVALID_REQUEST',
    `the table property ${name} is ${JSON.stringify(text)}: it must be a number of bytes`,
  );
}

/** The module's own form; consumed by the one `writeParquet` call that it is made for. One row group of `rows` rows. */
export function wasmWriterProperties(api: ParquetWasm, options: ParquetWriterOptions, rows: number) {
  return new api.WriterPropertiesBuilder()
    .setCompression(api.Compression[options.codec])
    .setWriterVersion(api.WriterVersion[options.pageVersion])
    .setEncoding(api.Encoding.PLAIN)
    .setDictionaryEnabled(true)
    .setDictionaryPageSizeLimit(options.dictionaryBytes)
    .setDataPageSizeLimit(options.pageBytes)
    .setStatisticsEnabled(api.EnabledStatistics.Page)
    .setMaxRowGroupSize(Math.max(1, rows))
    .build();
}
