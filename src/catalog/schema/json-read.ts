import { ServiceError } from '../../core/errors.ts';

/**
 * Checks on parsed JSON. `where` names the place in messages ("schema", "partition field"); each throws INVALID_REQUEST. Whole
 * numbers come as number or, from a BigInt-safe parser, as bigint.
 */
export type JsonObject = Readonly<Record<string, unknown>>;

export function readObject(json: unknown, where: string): JsonObject {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw bad(where, 'a JSON object', json);
  return json as JsonObject;
}

export function readArray(json: unknown, where: string): readonly unknown[] {
  if (!Array.isArray(json)) throw bad(where, 'a JSON array', json);
  return json;
}

export function readString(object: JsonObject, key: string, where: string): string {
  const value = own(object, key);
  if (typeof value !== 'string') throw bad(`${where}: ${key}`, 'a string', value);
  return value;
}

export function readBoolean(object: JsonObject, key: string, where: string): boolean {
  const value = own(object, key);
  if (typeof value !== 'boolean') throw bad(`${where}: ${key}`, 'true or false', value);
  return value;
}

/** A member that is a whole number of 32 bits. */
export function readInt(object: JsonObject, key: string, where: string): number {
  return asInt(own(object, key), `${where}: ${key}`);
}

export function asInt(json: unknown, where: string): number {
  const value = typeof json === 'bigint' ? Number(json) : json;
  if (typeof value !== 'number' || (value | 0) !== value) throw bad(where, 'a whole number of 32 bits', json);
  return value;
}

/** The object's own member, or undefined: `__proto__` and its like never answer. */
export function own(object: JsonObject, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

const shownCharsMax = 40;

function bad(where: string, wanted: string, got: unknown): ServiceError {
  return new ServiceError('INVALID_REQUEST', `${where} must be ${wanted}, not ${show(got)}`);
}

/** A value as a message may show it: short, and containers by their kind alone. */
export function show(json: unknown): string {
  if (json === undefined) return 'absent';
  if (Array.isArray(json)) return 'an array';
  if (typeof json === 'object' && json !== null) return 'an object';
  const text = typeof json === 'string' ? JSON.stringify(json) : String(json);
  return text.length <= shownCharsMax ? text : `${text.slice(0, shownCharsMax)}…`;
}
