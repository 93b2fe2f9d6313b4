import { ServiceError } from '../core/errors.ts';
import { type ExitCode, exitCodeOf, exitCodes, OutputClosed, UsageError } from './exit-codes.ts';

/** Resolves when the bytes are with the reader or the system. Throws {@link OutputClosed} once nobody reads any more. */
export function writeOut(bytes: Uint8Array | string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(bytes, (error) => {
      if (error === undefined || error === null) resolve();
      else reject(isClosed(error) ? new OutputClosed() : error);
    });
  });
}

const isClosed = (error: Error): boolean =>
  ['EPIPE', 'ERR_STREAM_DESTROYED'].includes((error as NodeJS.ErrnoException).code ?? '');

/** One JSON value; bigints, which are ids, become decimal strings. */
export const printJson = (value: unknown): Promise<void> => writeOut(`${toJson(value)}\n`);

export const toJson = (value: unknown): string =>
  JSON.stringify(value, (_key, member: unknown) => (typeof member === 'bigint' ? `${member}` : member));

/** A result as JSON where it was asked for, else as lines for people. */
export async function printResult(json: boolean, value: unknown, lines: readonly string[]): Promise<void> {
  if (json) await printJson(value);
  else if (lines.length > 0) await writeOut(`${lines.join('\n')}\n`);
}

export type Cell = string | number | bigint | null;

/** Columns under their headings, two spaces apart; numbers stand to the right, null is a dash. */
export function alignTable(headings: readonly string[], rows: readonly (readonly Cell[])[]): string[] {
  const texts = rows.map((row) => row.map((cell) => (cell === null ? '-' : printable(String(cell)))));
  const widths = headings.map((heading, at) => Math.max(heading.length, ...texts.map((row) => row[at]!.length)));
  const right = headings.map((_, at) => rows.length > 0 && rows.every((row) => typeof row[at] !== 'string'));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, at) => (right[at] ? cell.padStart(widths[at]!) : cell.padEnd(widths[at]!)))
      .join('  ')
      .trimEnd();
  return [line(headings), ...texts.map(line)];
}

/** Names come from files of others: what would steer a terminal is shown as an escape. */
export const printable = (text: string): string =>
  text.replace(/[\p{Cc}\p{Cf}]/gu, (char) => `\\u${char.codePointAt(0)!.toString(16).padStart(4, '0')}`);

/** Reports why a command ended, on standard error, and gives the exit status. */
export function reportFailure(error: unknown, json: boolean): ExitCode {
  if (error instanceof OutputClosed) return exitCodes.failed;
  const { code, message } = describe(error);
  const line = json ? toJson({ error: { code, message } }) : `headrace: ${code}: ${printable(message)}`;
  const exitCode = exitCodeOf(error);
  const cause = exitCode === exitCodes.failed && !json ? causeLines(error) : [];
  process.stderr.write(`${[line, ...cause].join('\n')}\n`);
  return exitCode;
}

function describe(error: unknown): { readonly code: string; readonly message: string } {
  if (error instanceof ServiceError || error instanceof UsageError) {
    return { code: error instanceof ServiceError ? error.code : 'USAGE', message: error.message };
  }
  return { code: 'INTERNAL', message: error instanceof Error ? error.message : String(error) };
}

/** The command line belongs to whoever runs the machine, so what lies behind a failure is told; bad input speaks for itself. */
function causeLines(error: unknown): string[] {
  if (!(error instanceof ServiceError)) return error instanceof Error ? (error.stack ?? '').split('\n').slice(1) : [];
  return error.cause instanceof Error ? [`  cause: ${printable(error.cause.message)}`] : [];
}
