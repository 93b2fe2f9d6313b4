import { indexSchema } from '../../catalog/schema/lookup.ts';
import { isPrimitive, type Schema } from '../../catalog/schema/types.ts';
import { formatColumnPath } from '../../core/column-path.ts';
import { ServiceError } from '../../core/errors.ts';
import type { FieldId } from '../../core/ids.ts';
import type { ParquetWasm } from '../../scan/parquet/wasm.ts';
import type { MetricsMode } from './metrics-modes.ts';
import type { BloomOptions } from './pages/bloom-filter.ts';

const codecs = {
  zstd: 'ZSTD',
  snappy: 'SNAPPY',
  gzip: 'GZIP',
  brotli: 'BROTLI',
  lz4: 'LZ4_RAW',
  uncompressed: 'UNCOMPRESSED',
} as const;
const switches = { true: true, false: false } as const;
const pageVersions = { v1: 'V1', v2: 'V2' } as const;

/** How data files are written, from a table's properties. */
export interface ParquetWriterOptions {
  readonly codec: (typeof codecs)[keyof typeof codecs];
  readonly pageVersion: (typeof pageVersions)[keyof typeof pageVersions];
  /** The codec's own scale; null = what is best by our measurements. */
  readonly level: number | null;
  /** Rows of every column's pages; row groups hold a multiple of them. */
  readonly pageRows: number;
  /** Bytes from which on pages of texts and lists hold fewer rows. */
  readonly pageBytes: number;
  readonly dictionaryBytes: number;
  /** Bytes of a row group as Arrow holds it. */
  readonly rowGroupBytes: number;
  /** Bytes that a bound of a text may have. */
  readonly boundBytes: number;
  /** Leaves that get a bloom filter. */
  readonly blooms: ReadonlyMap<FieldId, BloomOptions>;
  /** Whether pages carry a CRC. */
  readonly checksums: boolean;
}

export const codecProperty = 'write.parquet.compression-codec';
export const pageVersionProperty = 'write.parquet.page-version';
export const pageBytesProperty = 'write.parquet.page-size-bytes';
export const dictionaryBytesProperty = 'write.parquet.dict-size-bytes';
export const levelProperty = 'write.parquet.compression-level';
export const pageRowsProperty = 'write.parquet.page-row-limit';
export const rowGroupBytesProperty = 'write.parquet.row-group-size-bytes';
export const bloomColumnPrefix = 'write.parquet.bloom-filter-enabled.column.';
export const bloomFalsePositivesPrefix = 'write.parquet.bloom-filter-fpp.column.';
export const bloomBytesProperty = 'write.parquet.bloom-filter-max-bytes';
export const checksumsProperty = 'write.parquet.page-checksums';

/**
 * Arrow bytes of one row group. Small ones let several threads encode one file, keep what waits in memory small, and cost 0.1 % of
 * the benchmark table's file.
 */
const rowGroupBytesPreset = 16 << 20;
/** What waits in memory for a row group, and is encoded at once, whatever the table says. */
export const rowGroupBytesMax = 64 << 20;
/** Iceberg's own preset. */
const pageRowsPreset = 20_000;
const boundBytesPreset = 64;
const boundBytesMax = 4096;
const codePointBytesMax = 4;

/**
 * Throws INVALID_REQUEST naming the property whose value is none of those allowed. Bounds in the file are long enough for what the
 * metrics modes keep of them.
 */
export function parquetWriterOptions(
  properties: ReadonlyMap<string, string>,
  modes: Iterable<MetricsMode>,
  schema: Schema,
): ParquetWriterOptions {
  const codec = choice(properties, codecProperty, codecs, 'zstd');
  return {
    codec: codecs[codec],
    level: compressionLevel(properties, codec),
    pageRows: number(properties, pageRowsProperty, pageRowsPreset, 'rows'),
    rowGroupBytes: Math.min(rowGroupBytesMax, bytes(properties, rowGroupBytesProperty, rowGroupBytesPreset)),
    boundBytes: boundBytesOf(modes),
    blooms: bloomsOf(properties, schema),
    checksums: choice(properties, checksumsProperty, switches, 'false') === 'true',
    pageVersion: pageVersions[choice(properties, pageVersionProperty, pageVersions, 'v2')],
    pageBytes: bytes(properties, pageBytesProperty, 1 << 20),
    dictionaryBytes: bytes(properties, dictionaryBytesProperty, 2 << 20),
  };
}

function choice<Choice extends string>(
  properties: ReadonlyMap<string, string>,
  name: string,
  allowed: Readonly<Record<Choice, unknown>>,
  preset: NoInfer<Choice>,
): Choice {
  const value = properties.get(name)?.toLowerCase() ?? preset;
  if (Object.hasOwn(allowed, value)) return value as Choice;
  const known = Object.keys(allowed).join(', ');
  throw new ServiceError(
    'INVALID_REQUEST',
    `the table property ${name} is ${JSON.stringify(value)}: it must be one of ${known}`,
  );
}

/** Iceberg's presets. */
const bloomFalsePositivesPreset = 0.01;
const bloomBytesPreset = 1 << 20;

function bloomsOf(properties: ReadonlyMap<string, string>, schema: Schema): Map<FieldId, BloomOptions> {
  const blooms = new Map<FieldId, BloomOptions>();
  for (const { field, path } of indexSchema(schema).entries) {
    const name = formatColumnPath(path);
    const wanted = choice(properties, bloomColumnPrefix + name, switches, 'false');
    if (wanted === 'false' || !isPrimitive(field.type)) continue;
    const text = properties.get(bloomFalsePositivesPrefix + name);
    const falsePositives = text === undefined ? bloomFalsePositivesPreset : Number(text);
    if (!(falsePositives > 0 && falsePositives < 1)) {
      throw new ServiceError(
        'INVALID_REQUEST',
        `the table property ${bloomFalsePositivesPrefix}${name} is ${JSON.stringify(text)}: it must lie between 0 and 1`,
      );
    }
    blooms.set(field.id, { falsePositives, bytesMax: bytes(properties, bloomBytesProperty, bloomBytesPreset) });
  }
  return blooms;
}

function boundBytesOf(modes: Iterable<MetricsMode>): number {
  let longest = boundBytesPreset;
  for (const mode of modes) {
    if (mode.kind === 'full') longest = boundBytesMax;
    else if (mode.kind === 'truncate') longest = Math.max(longest, mode.length * codePointBytesMax);
  }
  return Math.min(longest, boundBytesMax);
}

/** The levels that each codec has; those that are missing have none. */
const levels: Partial<Record<keyof typeof codecs, readonly [min: number, max: number]>> = {
  zstd: [-7, 22],
  gzip: [0, 9],
  brotli: [0, 11],
};

function compressionLevel(properties: ReadonlyMap<string, string>, codec: keyof typeof codecs): number | null {
  const text = properties.get(levelProperty);
  const range = levels[codec];
  // Iceberg's other writers pass over a level that means nothing to the codec, and "null" is how some write none.
  if (text === undefined || text === 'null' || range === undefined) return null;
  const level = Number(text);
  if (Number.isInteger(level) && text.trim() !== '' && level >= range[0] && level <= range[1]) return level;
  throw new ServiceError(
    'INVALID_REQUEST',
    `the table property ${levelProperty} is ${JSON.stringify(text)}: ${codec} has levels ${range[0]} to ${range[1]}`,
  );
}

const bytesMax = 1 << 30;

const bytes = (properties: ReadonlyMap<string, string>, name: string, preset: number): number =>
  number(properties, name, preset, 'bytes');

function number(properties: ReadonlyMap<string, string>, name: string, preset: number, unit: string): number {
  const text = properties.get(name);
  if (text === undefined) return preset;
  const value = Number(text);
  if (Number.isInteger(value) && value > 0 && value <= bytesMax) return value;
  throw new ServiceError(
    'INVALID_REQUEST',
    `the table property ${name} is ${JSON.stringify(text)}: it must be a number of ${unit}`,
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
