import { type ErrorCode, ServiceError } from '../../core/errors.ts';

/** Iceberg's ids are 64-bit integers, which JSON.parse alone rounds; both proposals below are in V8 but not yet in the lib. */
type SourceReviver = (this: unknown, key: string, value: unknown, context: { readonly source?: string }) => unknown;
const parseWithSource = JSON.parse as (text: string, reviver: SourceReviver) => unknown;
const rawJson = (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON;

export interface JsonBounds {
  readonly charsMax: number;
  readonly depthMax: number;
  /** The code of the error for text that is not JSON or exceeds a bound. */
  readonly code: ErrorCode;
}

const defaultBounds: JsonBounds = { charsMax: 256 << 20, depthMax: 512, code: 'INVALID_REQUEST' };
// 2^53 has 16 digits: text without such a run needs no reviver, which is several times slower than plain parsing.
const longDigits = /\d{16}/;

/**
 * JSON text as a value. An integer that a double cannot hold exactly becomes a bigint of the same digits; every other number stays
 * a number. A `__proto__` member is an ordinary own property. Throws `bounds.code`.
 */
export function parseJson(text: string, bounds: Partial<JsonBounds> = {}): unknown {
  const { charsMax, depthMax, code } = { ...defaultBounds, ...bounds };
  if (text.length > charsMax) {
    throw new ServiceError(code, `JSON of ${text.length} characters; at most ${charsMax} are read`);
  }
  checkDepth(text, depthMax, code);
  try {
    return longDigits.test(text) ? parseWithSource(text, reviveInteger) : (JSON.parse(text) as unknown);
  } catch (cause) {
    throw new ServiceError(code, 'the text is not valid JSON', { cause });
  }
}

const reviveInteger: SourceReviver = (_key, value, { source }) =>
  typeof value === 'number' && !Number.isSafeInteger(value) && source !== undefined && /^-?\d+$/.test(source)
    ? BigInt(source)
    : value;

/** The value as JSON text, bigints as bare digits. Values come from us or from {@link parseJson}, so their depth is bounded. */
export function stringifyJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, (_key, member) => (typeof member === 'bigint' ? rawJson(`${member}`) : member), indent);
}

/** The reviver and the writer recurse, so nesting is bounded before either runs. */
function checkDepth(text: string, depthMax: number, code: ErrorCode): void {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case 0x22: // "
        at = endOfString(text, at);
        break;
      case 0x5b: // [
      case 0x7b: // {
        if (++depth > depthMax) throw new ServiceError(code, `JSON is nested deeper than ${depthMax} levels`);
        break;
      case 0x5d: // ]
      case 0x7d: // }
        depth--;
        break;
      default:
    }
  }
}

/** Index of the closing quote; the text's end where there is none. */
function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (end >= 0 && isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end < 0 ? text.length : end;
}

function isEscaped(text: string, at: number): boolean {
  let slashes = 0;
  while (text.charCodeAt(at - 1 - slashes) === 0x5c) slashes++;
  return slashes % 2 === 1;
}
