import { ServiceError } from '../../core/errors.ts';
import type { FieldId } from '../../core/ids.ts';
import { decodeOne } from '../avro/decode.ts';
import type { AvroRecordType, AvroType } from '../avro/schema.ts';
import { skipperOf } from '../avro/skip.ts';
import type { AvroRow } from './avro.ts';
import type { ColumnBuilder, MetricBuilder } from './column-builder.ts';
import { fileFormats } from './columns.ts';
import { longOf, type PairSink, pairsStep, type Step, spanOf, wrongValue } from './field-steps.ts';
import { type ManifestTypes, tupleReader } from './manifest.ts';
import { RowFields, withoutNull } from './row.ts';

interface TupleContext {
  readonly types: ManifestTypes;
  readonly valuesMax: number;
}

/** Takes the `data_file` of an entry, of the given type, into the builder's current row. */
export function dataFileSteps(
  type: AvroRecordType,
  written: AvroType,
  builder: ColumnBuilder,
  context: TupleContext,
): Step {
  const fields = new RowFields(type);
  const steps: Step[] = type.fields.map((field) => skipperOf(field.type));
  const put = (id: number, name: string, stepOf: (type: AvroType, name: string) => Step): void => {
    const field = fields.find(id, name);
    if (field !== null) steps[field.at] = stepOf(type.fields[field.at]!.type, name);
  };
  for (const [id, name] of required) fields.require(id, name);
  put(134, 'content', contentStep);
  put(100, 'file_path', (path, name) => pathStep(path, name, builder));
  put(101, 'file_format', (format, name) => formatStep(format, name, builder));
  put(102, 'partition', (partition) => tupleStep(partition, builder, context));
  put(103, 'record_count', (count, name) => {
    const read = longOf(count, name);
    return (cursor) => {
      builder.rows[builder.at] = read(cursor) ?? wrongValue(name);
    };
  });
  put(104, 'file_size_in_bytes', (size, name) => {
    const read = longOf(size, name);
    return (cursor) => {
      builder.bytes[builder.at] = read(cursor) ?? wrongValue(name);
    };
  });
  const metrics = [...builder.metrics.values()];
  const slots = new Map<FieldId, number>([...builder.metrics.keys()].map((id, slot) => [id, slot]));
  const counts = (arrayOf: (metric: MetricBuilder) => Float64Array) => (list: AvroType, name: string) =>
    pairsStep(list, name, slots, countSink(metrics, builder, arrayOf));
  put(
    109,
    'value_counts',
    counts(({ valueCounts }) => valueCounts),
  );
  put(
    110,
    'null_value_counts',
    counts(({ nullCounts }) => nullCounts),
  );
  put(
    137,
    'nan_value_counts',
    counts(({ nanCounts }) => nanCounts),
  );
  put(125, 'lower_bounds', (list, name) => pairsStep(list, name, slots, boundSink(metrics, builder, 'lower')));
  put(128, 'upper_bounds', (list, name) => pairsStep(list, name, slots, boundSink(metrics, builder, 'upper')));
  if (fields.find(102, 'partition') === null) builder.tuples.push([]);
  if (written.kind !== 'union') return (cursor) => steps.forEach((step) => void step(cursor));
  const branches = written.branches;
  return (cursor) => {
    if (branches[cursor.index(branches.length)]!.kind !== 'record') wrongValue('data_file');
    for (const step of steps) step(cursor);
  };
}

const required = [
  [100, 'file_path'],
  [101, 'file_format'],
  [103, 'record_count'],
  [104, 'file_size_in_bytes'],
] as const;

function contentStep(type: AvroType, name: string): Step {
  const read = longOf(type, name);
  return (cursor) => {
    const content = read(cursor) ?? 0;
    if (content === 0) return;
    throw corrupt(content > 2 ? 'a file of unknown content' : 'delete files among its data files');
  };
}

function pathStep(type: AvroType, name: string, builder: ColumnBuilder): Step {
  const read = spanOf(type, name);
  return (cursor) => builder.path(cursor.bytes, read(cursor) ?? wrongValue(name), cursor.at);
}

function formatStep(type: AvroType, name: string, builder: ColumnBuilder): Step {
  const read = spanOf(type, name);
  return (cursor) => {
    const start = read(cursor) ?? wrongValue(name);
    if (isParquet(cursor.bytes, start, cursor.at)) return;
    const text = cursor.bytes.toString('latin1', start, cursor.at).toLowerCase();
    const format = (fileFormats as readonly string[]).indexOf(text);
    if (format < 0) throw new ServiceError('UNSUPPORTED_FEATURE', 'a manifest names a file of an unknown format');
    builder.formats[builder.at] = format;
  };
}

const parquet = Buffer.from('parquet');

/** In letters of any case, which differ in one bit. */
function isParquet(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start !== parquet.length) return false;
  for (let at = 0; at < parquet.length; at++) if ((bytes[start + at]! | 0x20) !== parquet[at]) return false;
  return true;
}

/** Decodes each distinct tuple once: equal bytes are equal tuples. */
function tupleStep(type: AvroType, builder: ColumnBuilder, { types, valuesMax }: TupleContext): Step {
  const record = withoutNull(type);
  const skip = skipperOf(type);
  const { tuples } = builder;
  if (types.spec.fields.length === 0) {
    tuples.push([]);
    return skip;
  }
  if (record.kind !== 'record') return () => wrongValue('partition');
  const read = tupleReader(record, types);
  const known = new Map<string, number>();
  return (cursor) => {
    const start = cursor.at;
    skip(cursor);
    const key = cursor.bytes.toString('latin1', start, cursor.at);
    let code = known.get(key);
    if (code === undefined) {
      const end = cursor.at;
      cursor.at = start;
      tuples.push(read((decodeOne(type, cursor, valuesMax) as AvroRow | null) ?? []));
      cursor.at = end;
      code = tuples.length - 1;
      known.set(key, code);
    }
    builder.tupleOf[builder.at] = code;
  };
}

/** A count that makes no sense is left out. */
const countSink =
  (metrics: readonly MetricBuilder[], builder: ColumnBuilder, arrayOf: (metric: MetricBuilder) => Float64Array) =>
  ({ kind }: AvroType): PairSink | null => {
    if (kind !== 'int' && kind !== 'long') return null;
    return (cursor, slot) => {
      cursor.readLong();
      const count = cursor.high * 2 ** 32 + (cursor.low >>> 0);
      if (count >= 0 && count <= Number.MAX_SAFE_INTEGER) arrayOf(metrics[slot]!)[builder.at] = count;
    };
  };

const boundSink =
  (metrics: readonly MetricBuilder[], builder: ColumnBuilder, side: 'lower' | 'upper') =>
  ({ kind }: AvroType): PairSink | null => {
    if (kind !== 'bytes') return null;
    return (cursor, slot) => {
      const metric = metrics[slot]!;
      const start = cursor.lengthPrefixed();
      const length = cursor.at - start;
      const at = builder.bounds.append(cursor.bytes, start, cursor.at);
      if (side === 'lower') {
        metric.lowerStarts[builder.at] = at;
        metric.lowerLengths[builder.at] = length;
      } else {
        metric.upperStarts[builder.at] = at;
        metric.upperLengths[builder.at] = length;
      }
    };
  };

const corrupt = (problem: string): ServiceError => new ServiceError('CORRUPT_FILE', `a manifest has ${problem}`);
