import { isPrimitive, type PrimitiveType, type Schema } from '../../catalog/schema/types.ts';
import { ServiceError } from '../../core/errors.ts';
import { didYouMean } from '../../core/nearest.ts';
import type { ArrowField, ArrowSchema, Batch, Column } from '../../scan/arrow/column.ts';
import { arrowTypeOf } from '../../scan/arrow/iceberg.ts';
import { BadValue, columnOfTexts, requireReadable } from './columns.ts';
import { inferType } from './infer.ts';
import { atLine, type CsvOptions, readRecords } from './records.ts';

/** What the beginning of a file says of its columns. */
export interface CsvColumn {
  readonly name: string;
  readonly type: PrimitiveType;
}

/** Rows that types are inferred from. */
const sampleRowsMax = 10_000;
const sampleCharsMax = 32 << 20;
const batchCharsMax = 16 << 20;

/** Reads the header and infers each column's type from the first rows; `chosen` types go before that. */
export async function inspectCsv(
  bytes: AsyncIterable<Uint8Array>,
  options: CsvOptions & { readonly chosen: ReadonlyMap<string, PrimitiveType> },
): Promise<readonly CsvColumn[]> {
  let header: readonly string[] = [];
  let columns: string[][] = [];
  let rows = 0;
  let chars = 0;
  for await (const { fields } of readRecords(bytes, options)) {
    if (header.length === 0) {
      header = fields;
      columns = fields.map(() => []);
      continue;
    }
    fields.forEach((field, at) => {
      columns[at]!.push(field);
      chars += field.length;
    });
    if (++rows === sampleRowsMax || chars > sampleCharsMax) break;
  }
  const unknown = [...options.chosen.keys()].find((name) => !header.includes(name));
  if (unknown !== undefined) {
    throw new ServiceError(
      'UNKNOWN_COLUMN',
      `there is no column ${unknown} to choose a type for.${didYouMean(unknown, header)}`,
    );
  }
  return header.map((name, at) => ({ name, type: options.chosen.get(name) ?? inferType(columns[at]!) }));
}

/** The columns' types in a table: what it has for them, or what they were taken for where it lacks them. */
export function csvTypes(columns: readonly CsvColumn[], table: Schema): readonly CsvColumn[] {
  const byName = new Map(table.fields.map((field) => [field.name, field.type]));
  return columns.map(({ name, type: inferred }) => {
    const type = byName.get(name) ?? inferred;
    if (!isPrimitive(type)) {
      throw new ServiceError(
        'SCHEMA_MISMATCH',
        `column ${name}: the table has a ${type.kind}, which no CSV field can hold`,
      );
    }
    requireReadable(type, name);
    return { name, type };
  });
}

export const csvSchema = (columns: readonly CsvColumn[]): ArrowSchema => ({
  fields: columns.map(
    ({ name, type }): ArrowField => ({ name, type: arrowTypeOf(type), nullable: true, metadata: new Map() }),
  ),
  metadata: new Map(),
});

/**
 * The rows as batches of at most `batchRows` rows. Throws INVALID_REQUEST that names line and column of a text that is not of its
 * column's type.
 */
export async function* readCsv(
  bytes: AsyncIterable<Uint8Array>,
  columns: readonly CsvColumn[],
  options: CsvOptions & { readonly batchRows: number },
): AsyncGenerator<Batch> {
  const schema = csvSchema(columns);
  let texts: string[][] = columns.map(() => []);
  let lines: number[] = [];
  let chars = 0;
  let header = true;
  const take = (): Batch => {
    const batch = {
      schema,
      rows: lines.length,
      columns: columns.map((column, at) => build(column, texts[at]!, lines)),
    };
    texts = columns.map(() => []);
    lines = [];
    chars = 0;
    return batch;
  };
  for await (const { fields, line } of readRecords(bytes, options)) {
    if (header) {
      header = false;
      continue;
    }
    for (let at = 0; at < fields.length; at++) {
      texts[at]!.push(fields[at]!);
      chars += fields[at]!.length;
    }
    lines.push(line);
    if (lines.length === options.batchRows || chars > batchCharsMax) yield take();
  }
  if (lines.length > 0) yield take();
}

function build({ name, type }: CsvColumn, texts: readonly string[], lines: readonly number[]): Column {
  try {
    return columnOfTexts(texts, type);
  } catch (error) {
    if (!(error instanceof BadValue)) throw error;
    throw atLine(lines[error.row]!, `column ${name}: ${error.message}`);
  }
}
