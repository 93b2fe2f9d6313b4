import { isUtf8 } from 'node:buffer';
import { pipeline, Readable } from 'node:stream';
import { CsvError, parse } from 'csv-parse';
import { ServiceError } from '../../core/errors.ts';

export interface CsvOptions {
  /** One character, or more. */
  readonly delimiter: string;
  /** Fields of one record. */
  readonly fieldsMax: number;
}

export interface CsvRecord {
  readonly fields: readonly string[];
  /** Where the record begins in the file, from 1. */
  readonly line: number;
}

/** Bounds what an opening quote without its end can gather. */
const recordCharsMax = 16 << 20;

/**
 * The records of a CSV file (RFC 4180, UTF-8 with or without a byte order mark), the header first; empty lines are left out. Throws
 * INVALID_REQUEST that names the line for text that is not CSV.
 */
export async function* readRecords(bytes: AsyncIterable<Uint8Array>, options: CsvOptions): AsyncGenerator<CsvRecord> {
  const parser = parse({
    bom: true,
    delimiter: options.delimiter,
    relax_column_count: true,
    max_record_size: recordCharsMax,
  });
  // Errors of either end come out of the iteration, and ending it early closes both.
  pipeline(Readable.from(checkUtf8(bytes), { objectMode: false, highWaterMark: 1 << 20 }), parser, () => {});
  let line = 1;
  let columns: number | null = null;
  try {
    for await (const fields of parser as AsyncIterable<string[]>) {
      const empty = fields.length === 1 && fields[0] === '';
      columns ??= empty ? null : checkHeader(fields, options.fieldsMax);
      if (!empty) {
        if (fields.length !== columns) {
          throw atLine(
            line,
            `${fields.length} fields where the header has ${columns}: a field that holds the delimiter or a quote stands in double quotes`,
          );
        }
        yield { fields, line };
      }
      line += 1 + fields.reduce((lines, field) => lines + newlines(field), 0);
    }
  } catch (error) {
    throw error instanceof CsvError ? malformed(error, line) : error;
  }
  if (columns === null) throw new ServiceError('INVALID_REQUEST', 'the file has no header line');
}

export const atLine = (line: number, problem: string): ServiceError =>
  new ServiceError('INVALID_REQUEST', `line ${line}: ${problem}`);

function checkHeader(fields: readonly string[], fieldsMax: number): number {
  if (fields.length > fieldsMax) throw new ServiceError('LIMIT_EXCEEDED', `line 1: more than ${fieldsMax} columns`);
  const unnamed = fields.findIndex((field) => field.trim() === '');
  if (unnamed >= 0) throw atLine(1, `column ${unnamed + 1} has no name: the first line must name the columns`);
  const twice = fields.find((field, at) => fields.indexOf(field) < at);
  if (twice !== undefined) throw atLine(1, `the column ${JSON.stringify(twice)} is there twice`);
  return fields.length;
}

/**
 * The parser's own words repeat what they choke on, so they stay in the cause; the line is theirs, because the parser is ahead of
 * the records that were taken from it.
 */
function malformed(error: CsvError, taken: number): ServiceError {
  const line = / line (\d+)/.exec(error.message)?.[1] ?? taken;
  const problem =
    error.code === 'CSV_QUOTE_NOT_CLOSED'
      ? 'a quoted field that began here or before is not closed'
      : error.code === 'CSV_MAX_RECORD_SIZE'
        ? `a record has more than ${recordCharsMax} characters; is a quoted field not closed?`
        : 'a quote stands where none may: write a quote within a quoted field twice';
  return new ServiceError('INVALID_REQUEST', `line ${line}: ${problem}`, { cause: error });
}

function newlines(field: string): number {
  let count = 0;
  for (let at = field.indexOf('\n'); at >= 0; at = field.indexOf('\n', at + 1)) count++;
  return count;
}

/** Bytes of a character that the end of a piece may cut off. */
const cutBytesMax = 3;

/** Passes whole characters on: the parser would turn what is no UTF-8 into replacement characters without a word. */
async function* checkUtf8(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let rest: Uint8Array = new Uint8Array(0);
  for await (const piece of pieces) {
    const bytes = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
    const end = wholeCharacters(bytes);
    const whole = bytes.subarray(0, end);
    if (!isUtf8(whole)) throw notUtf8();
    rest = bytes.subarray(end);
    if (whole.length > 0) yield whole;
  }
  if (rest.length > 0) throw notUtf8();
}

/** How many bytes are left when a last character that is cut off is taken away. */
function wholeCharacters(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(cutBytesMax, bytes.length); back++) {
    const byte = bytes[bytes.length - back]!;
    if (byte < 0x80) break;
    if (byte < 0xc0) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    return length > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}

const notUtf8 = (): ServiceError => new ServiceError('INVALID_REQUEST', 'the file is not UTF-8 text: convert it first');
