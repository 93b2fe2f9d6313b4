import { parseDate, parseTimestamp } from '../../catalog/schema/literal-text.ts';
import type { PrimitiveType } from '../../catalog/schema/types.ts';

/** What a CSV column can be taken for, narrowest first. */
const kinds = ['boolean', 'long', 'double', 'date', 'timestamp', 'timestamptz'] as const;
export type CsvKind = (typeof kinds)[number] | 'string';

/**
 * The narrowest type that every text has; empty texts are null and fit any. Whole numbers with leading zeros are codes, and so
 * strings; a column without any value is a string too.
 */
export function inferType(texts: Iterable<string>): PrimitiveType {
  let candidates: readonly CsvKind[] = kinds;
  let values = 0;
  for (const text of texts) {
    if (text === '') continue;
    values++;
    candidates = candidates.filter((kind) => kind !== 'string' && fits[kind](text));
    if (candidates.length === 0) break;
  }
  return { kind: values === 0 ? 'string' : (candidates[0] ?? 'string') };
}

/** The narrowest type that holds what two files say of a column. */
export function widestOf(a: PrimitiveType, b: PrimitiveType): PrimitiveType {
  if (a.kind === b.kind) return a;
  const pair = new Set([a.kind, b.kind]);
  if (pair.has('long') && pair.has('double')) return { kind: 'double' };
  if (pair.has('date') && pair.has('timestamp')) return { kind: 'timestamp' };
  return { kind: 'string' };
}

const wholePattern = /^[+-]?(?:0|[1-9]\d{0,18})$/;
const numberPattern = /^[+-]?(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?$/;
const notFinitePattern = /^(?:nan|[+-]?inf(?:inity)?)$/i;
const int64Max = 2n ** 63n - 1n;

const fits: Readonly<Record<(typeof kinds)[number], (text: string) => boolean>> = {
  boolean: (text) => /^(?:true|false)$/i.test(text),
  long: isWhole,
  double: (text) => numberPattern.test(text) || notFinitePattern.test(text),
  date: (text) => parses(() => parseDate(text), text),
  timestamp: (text) => parses(() => parseTimestamp(text, 'us', false), text),
  timestamptz: (text) => parses(() => parseTimestamp(text, 'us', true), text),
};

/** Whether a text is an int64 in plain digits. */
export function isWhole(text: string): boolean {
  if (!wholePattern.test(text)) return false;
  if (text.length < 19) return true;
  const value = BigInt(text.replace(/^\+/, ''));
  return value <= int64Max && value >= -int64Max - 1n;
}

/** The number that a text writes, null where it writes none. */
export function parseNumber(text: string): number | null {
  if (/^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?$/.test(text)) return Number(text);
  if (!notFinitePattern.test(text)) return null;
  if (/^nan$/i.test(text)) return Number.NaN;
  return text.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

/** Most texts are no dates, and an exception for each would be dear: their beginning tells. */
function parses(read: () => unknown, text: string): boolean {
  if (!/^\d{4}-\d\d-\d\d/.test(text)) return false;
  try {
    read();
    return true;
  } catch {
    return false;
  }
}
