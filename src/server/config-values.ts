import { z } from 'zod';

const sizeUnits = new Map([
  ['', 1],
  ['b', 1],
  ['kb', 1e3],
  ['mb', 1e6],
  ['gb', 1e9],
  ['tb', 1e12],
  ['kib', 2 ** 10],
  ['mib', 2 ** 20],
  ['gib', 2 ** 30],
  ['tib', 2 ** 40],
]);
const durationUnits = new Map([
  ['ms', 1],
  ['s', 1e3],
  ['m', 60e3],
  ['h', 3_600e3],
  ['d', 86_400e3],
]);

/** `256MiB`, `1.5 GB`, `4096` as bytes; null for anything else. */
export function parseSize(value: unknown): number | null {
  return typeof value === 'number' ? wholeOrNull(value) : parseWithUnit(value, sizeUnits);
}

/** `1h`, `90 s`, `250ms` as milliseconds; a number without a unit is refused, because it does not say which. Null for anything else. */
export function parseDuration(value: unknown): number | null {
  return parseWithUnit(value, durationUnits);
}

function parseWithUnit(value: unknown, units: ReadonlyMap<string, number>): number | null {
  const match = typeof value === 'string' ? /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(value) : null;
  const factor = match === null ? undefined : units.get(match[2]!.toLowerCase());
  return factor === undefined ? null : wholeOrNull(Number(match![1]) * factor);
}

const wholeOrNull = (value: number): number | null => (Number.isSafeInteger(value) && value >= 0 ? value : null);

/** Every message ends the sentence that starts with the key. Text is accepted for numbers and booleans, for the environment's sake. */
function value<T>(error: string, read: (input: unknown) => T | null): z.ZodType<T, unknown> {
  return z.unknown().transform((input, context) => {
    const result = read(input);
    if (result !== null) return result;
    context.addIssue({ code: 'custom', message: error });
    return z.NEVER;
  }) as z.ZodType<T, unknown>;
}

export const size = (): z.ZodType<number, unknown> => value('must be a size such as 256MiB', parseSize);
export const duration = (): z.ZodType<number, unknown> => value('must be a duration such as 1h or 30s', parseDuration);

export const whole = (min: number, max: number): z.ZodType<number, unknown> =>
  value(`must be a whole number from ${min} to ${max}`, (input) => {
    const number = typeof input === 'string' && /^\d+$/.test(input) ? Number(input) : input;
    return typeof number === 'number' && Number.isSafeInteger(number) && number >= min && number <= max ? number : null;
  });

export const boolean = (): z.ZodType<boolean, unknown> =>
  value('must be true or false', (input) => {
    if (typeof input === 'boolean') return input;
    return input === 'true' ? true : input === 'false' ? false : null;
  });

export const nonEmpty = (what = 'text'): z.ZodType<string, unknown> =>
  value(`must be ${what}`, (input) => (typeof input === 'string' && input.trim() !== '' ? input : null));

const keyBytes = 32;

/** A secret of 32 bytes in hexadecimal, base64 or base64url. */
export const secretKey = (): z.ZodType<Uint8Array, unknown> =>
  value(`must be ${keyBytes} bytes in base64 or hexadecimal`, readKey);

function readKey(input: unknown): Uint8Array | null {
  if (typeof input !== 'string') return null;
  const text = input.trim();
  if (/^[0-9a-f]{64}$/i.test(text)) return new Uint8Array(Buffer.from(text, 'hex'));
  if (!/^[A-Za-z0-9+/_-]{43}=?$/.test(text)) return null;
  const key = new Uint8Array(Buffer.from(text, 'base64'));
  return key.length === keyBytes ? key : null;
}

/** A list; text is a JSON array or elements between commas, for the environment's sake. */
export const list = <T>(element: z.ZodType<T, unknown>): z.ZodType<readonly T[], unknown> =>
  z.preprocess(
    readList,
    z.array(element, { error: 'must be a list' }).max(listMax, { error: `must have at most ${listMax} elements` }),
  );
const listMax = 100;

function readList(input: unknown): unknown {
  if (typeof input !== 'string') return input;
  if (!input.trim().startsWith('[')) return input.split(',');
  try {
    return JSON.parse(input);
  } catch {
    return null;
  }
}
