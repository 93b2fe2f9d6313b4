import { ServiceError } from './errors.ts';

/** The names from a top-level column down to a nested field. */
export type ColumnPath = readonly string[];

/** `home.zip`; a part that holds a dot, a quote or nothing at all stands in double quotes, inner quotes doubled. */
export function formatColumnPath(path: ColumnPath): string {
  return path.map((part) => (/^[^."]+$/.test(part) ? part : `"${part.replaceAll('"', '""')}"`)).join('.');
}

/** The inverse of {@link formatColumnPath}. Throws INVALID_REQUEST where a quote is left open or a part is empty. */
export function parseColumnPath(text: string): ColumnPath {
  const parts: string[] = [];
  let at = 0;
  do {
    const [part, end] = text[at] === '"' ? readQuoted(text, at) : readPlain(text, at);
    parts.push(part);
    if (end < text.length && text[end] !== '.') throw badPath(text);
    at = end + 1;
  } while (at <= text.length);
  return parts;
}

function readQuoted(text: string, start: number): [string, number] {
  let part = '';
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] !== '"') part += text[at];
    else if (text[at + 1] === '"') {
      part += '"';
      at++;
    } else return [part, at + 1];
  }
  throw badPath(text);
}

function readPlain(text: string, start: number): [string, number] {
  const dot = text.indexOf('.', start);
  const end = dot < 0 ? text.length : dot;
  const part = text.slice(start, end);
  if (part === '' || part.includes('"')) throw badPath(text);
  return [part, end];
}

function badPath(text: string): ServiceError {
  return new ServiceError(
    'INVALID_REQUEST',
    `${JSON.stringify(text)} is not a column path: write a.b, with a part that holds a dot in double quotes ("a.b".c)`,
  );
}
