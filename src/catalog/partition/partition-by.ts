import { type ColumnPath, formatColumnPath, parseColumnPath } from '../../core/column-path.ts';
import { ServiceError } from '../../core/errors.ts';
import { defaultLimits } from '../../core/limits.ts';
import { didYouMean } from '../../core/nearest.ts';
import { show } from '../schema/json-read.ts';
import { type FieldEntry, indexSchema } from '../schema/lookup.ts';
import { isPrimitive, type Schema } from '../schema/types.ts';
import { checkPartitionSpec, sourceTypeOf } from './check-spec.ts';
import { formatTransform, parseTransform, transformResultType } from './transform.ts';
import type { PartitionField, PartitionSpec, Transform } from './types.ts';

export interface PartitionByOptions {
  readonly specId?: number;
  /** Partition field ids start at 1000. */
  readonly firstFieldId?: number;
  readonly fieldsMax?: number;
}

/** A transform of a column, before it has a name and an id. */
export interface PartitionTerm {
  readonly source: FieldEntry;
  readonly transform: Transform;
}

export const firstPartitionFieldId = 1000;

/**
 * Reads what a user writes in `partition_by`: a column (identity), `month(date)`, `bucket(16, id)`, `truncate(4, name)`, also
 * `bucket[16](id)`; a column may be nested (`home.zip`) or quoted. Fields get the names that Iceberg gives when it creates a
 * table: `date_month`, `id_bucket`, `name_trunc`, `date`. Throws INVALID_REQUEST and UNKNOWN_COLUMN.
 */
export function parsePartitionBy(
  texts: readonly string[],
  schema: Schema,
  {
    specId = 0,
    firstFieldId = firstPartitionFieldId,
    fieldsMax = defaultLimits.partitionFieldsMax,
  }: PartitionByOptions = {},
): PartitionSpec {
  if (texts.length > fieldsMax) {
    throw new ServiceError('LIMIT_EXCEEDED', `a table has at most ${fieldsMax} partition fields, not ${texts.length}`);
  }
  const fields: PartitionField[] = texts.map((text, at) => {
    const { source, transform } = parsePartitionTerm(text, schema);
    return { sourceId: source.field.id, fieldId: firstFieldId + at, name: createdName(source, transform), transform };
  });
  refuseRedundant(fields);
  const spec = { specId, fields };
  checkPartitionSpec(spec, schema);
  return spec;
}

/** Reads one term of `partition_by`. Throws INVALID_REQUEST and UNKNOWN_COLUMN. */
export function parsePartitionTerm(text: string, schema: Schema): PartitionTerm {
  const call = /^\s*(\w+(?:\[\s*\d+\s*\])?)\s*\((.*)\)\s*$/s.exec(text);
  const [transform, column] =
    call === null ? ([{ kind: 'identity' }, text] as const) : readCall(text, call[1]!, call[2]!);
  const source = findColumn(parseColumnPath(column.trim()), schema);
  transformResultType(transform, sourceTypeOf(source));
  return { source, transform };
}

/** Time transforms of one column say the same at different grains, so a table has but one of them, as Iceberg demands. */
export function refuseRedundant(fields: readonly PartitionField[]): void {
  const seen = new Map<string, PartitionField>();
  for (const field of fields) {
    const key = `${field.sourceId} ${isTimeTransform(field.transform) ? 'time' : formatTransform(field.transform)}`;
    const other = seen.get(key);
    if (other !== undefined) {
      throw new ServiceError(
        'INVALID_REQUEST',
        `the partition field ${field.name} is redundant: there is already ${other.name}`,
      );
    }
    seen.set(key, field);
  }
}

export const isTimeTransform = ({ kind }: Transform): boolean =>
  kind === 'year' || kind === 'month' || kind === 'day' || kind === 'hour';

/** Iceberg's name of a column in partition names: dotted, never quoted. */
export const columnName = (source: FieldEntry): string => source.path.join('.');

const argumentAliases: ReadonlyMap<string, string> = new Map([
  ['years', 'year'],
  ['months', 'month'],
  ['days', 'day'],
  ['hours', 'hour'],
]);

function readCall(text: string, called: string, argument: string): readonly [Transform, string] {
  const name = called.toLowerCase().replaceAll(/\s/g, '');
  if (name === 'bucket' || name === 'truncate') {
    const match = /^\s*(\d+)\s*,(.*)$/s.exec(argument);
    if (match === null) throw badTerm(text);
    return [parseTransform(`${name}[${match[1]}]`), match[2]!];
  }
  const transform = parseTransform(argumentAliases.get(name) ?? name);
  if (transform.kind === 'unknown' || transform.kind === 'void') throw badTerm(text);
  return [transform, argument];
}

function findColumn(path: ColumnPath, schema: Schema): FieldEntry {
  const index = indexSchema(schema);
  const found = index.find(path);
  if (found !== undefined) return found;
  const candidates = index.entries
    .filter((entry) => isPrimitive(entry.field.type) && !entry.inRepeated)
    .map((entry) => formatColumnPath(entry.path));
  const name = formatColumnPath(path);
  throw new ServiceError(
    'UNKNOWN_COLUMN',
    `there is no column ${name} to partition by.${didYouMean(name, candidates)}`,
  );
}

function createdName(source: FieldEntry, { kind }: Transform): string {
  const name = columnName(source);
  if (kind === 'identity') return name;
  return `${name}_${kind === 'truncate' ? 'trunc' : kind}`;
}

function badTerm(text: string): ServiceError {
  return new ServiceError(
    'INVALID_REQUEST',
    `${show(text)} is not a partition field: write a column, year(c), month(c), day(c), hour(c), bucket(16, c) or truncate(4, c)`,
  );
}
