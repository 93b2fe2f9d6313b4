import { z } from 'zod';
import { ServiceError } from '../../core/errors.ts';
import type { SnapshotId } from '../../core/ids.ts';
import { snapshotId } from '../../core/ids.ts';
import type { Limits } from '../../core/limits.ts';
import { didYouMean } from '../../core/nearest.ts';
import { type JsonObject, parseStrictJson, type StrictJson } from '../../core/strict-json.ts';

export type RequestLimits = Pick<
  Limits,
  | 'requestBytesMax'
  | 'requestDepthMax'
  | 'requestColumnsMax'
  | 'schemaDepthMax'
  | 'shardsMax'
  | 'batchRowsMax'
  | 'filterCharsMax'
>;

/** A rule's message is the end of the sentence that starts with the field's name. */
export const text = (error = 'must be a string'): z.ZodString => z.string({ error });
export const flag = (): z.ZodBoolean => z.boolean({ error: 'must be true or false' });
export const wholeNumber = (min: number, max: number): z.ZodNumber => {
  const error = `must be a whole number from ${min} to ${max}`;
  return z.int({ error }).min(min, { error }).max(max, { error });
};
export const oneOf = <const Names extends readonly string[]>(names: Names): z.ZodEnum<{ [N in Names[number]]: N }> =>
  z.enum(names, { error: `must be one of ${names.map((name) => JSON.stringify(name)).join(', ')}` });

/** Filter text, or an object or boolean of Iceberg's expression JSON; its source is taken from the request's text. */
export const filter = (charsMax: number): z.ZodType<unknown> => {
  const error = `must be filter text of 1 to ${charsMax} characters, or Iceberg's expression JSON`;
  const filterText = z.string().min(1, { error }).max(charsMax, { error });
  return z.union([filterText, z.boolean(), z.record(z.string(), z.unknown())], { error });
};

/** The names of each object of a request, by the path to the object, for suggestions. */
export type KnownFields = Readonly<Record<string, readonly string[]>>;

/** Parses the JSON of a descriptor's `cmd` by `shape`. Throws INVALID_REQUEST with the field, the rule and the nearest known name. */
export function parseRequest<Shape extends z.ZodType>(
  bytes: Uint8Array,
  shape: Shape,
  { what, known, limits }: { readonly what: string; readonly known: KnownFields; readonly limits: RequestLimits },
): { readonly value: z.output<Shape>; readonly json: StrictJson } {
  const bounds = { bytesMax: limits.requestBytesMax, depthMax: limits.requestDepthMax };
  const json = parseStrictJson(bytes, bounds, what);
  if (typeof json.value !== 'object' || json.value === null || Array.isArray(json.value)) {
    throw new ServiceError('INVALID_REQUEST', `the ${what} must be a JSON object`);
  }
  const parsed = shape.safeParse(json.value);
  if (!parsed.success) throw shapeError(parsed.error.issues[0]!, what, known);
  return { value: parsed.data, json };
}

function shapeError(issue: z.core.$ZodIssue, what: string, known: KnownFields): ServiceError {
  const path = issue.path.join('.');
  if (issue.code === 'unrecognized_keys') {
    const name = issue.keys[0]!;
    const place = path === '' ? '' : ` in "${path}"`;
    const hint = didYouMean(name, known[path] ?? []);
    return new ServiceError(
      'INVALID_REQUEST',
      `the ${what} has no field ${JSON.stringify(name.slice(0, 64))}${place}.${hint}`,
    );
  }
  return new ServiceError('INVALID_REQUEST', `the ${what}: "${path}" ${issue.message}`);
}

/** Refuses fields that are reserved for a later version, whatever they hold. */
export function refuseReserved(value: JsonObject, names: readonly string[], what: string): void {
  for (const name of names) {
    if (Object.hasOwn(value, name)) {
      throw new ServiceError('UNSUPPORTED_FEATURE', `the ${what}: "${name}" is not supported by this version`);
    }
  }
}

/** A snapshot id as all of our JSON writes it: a decimal string of a signed 64-bit integer. */
export function parseSnapshotId(digits: string): SnapshotId {
  const id = /^(?:0|-?[1-9]\d{0,18})$/.test(digits) ? BigInt(digits) : null;
  if (id === null || BigInt.asIntN(64, id) !== id) {
    throw new ServiceError(
      'INVALID_REQUEST',
      `${JSON.stringify(digits.slice(0, 32))} is not a snapshot id: write the 64-bit number as a decimal string`,
    );
  }
  return snapshotId(id);
}

const refCharsMax = 255;

/** A branch's or tag's name. */
export const refName = (): z.ZodString => {
  const error = `must be a name of 1 to ${refCharsMax} characters without control characters`;
  return z
    .string({ error })
    .min(1, { error })
    .max(refCharsMax, { error })
    .regex(/^\P{Cc}+$/u, { error });
};
