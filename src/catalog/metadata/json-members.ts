import { type ErrorCode, isServiceError, ServiceError } from '../../core/errors.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

const longMin = -(2n ** 63n);
const longMax = 2n ** 63n - 1n;
const intMax = 2 ** 31 - 1;

/**
 * Typed access to the members of one JSON object from outside. Every refusal carries the same code and names the member by its
 * path, so that metadata is CORRUPT_FILE and a request INVALID_REQUEST through the same readers. A null member counts as absent.
 */
export class JsonMembers {
  readonly #object: JsonObject;
  readonly #code: ErrorCode;
  readonly #path: string;

  constructor(value: unknown, code: ErrorCode, path: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new ServiceError(code, `${path} must be a JSON object, not ${describe(value)}`);
    }
    this.#object = value as JsonObject;
    this.#code = code;
    this.#path = path;
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#object, name) && this.#object[name] !== null;
  }

  /** The member as it came, undefined where absent or null. */
  raw(name: string): unknown {
    return this.has(name) ? this.#object[name] : undefined;
  }

  /** The whole object as it came. */
  whole(): JsonObject {
    return this.#object;
  }

  string(name: string): string {
    const value = this.#required(name);
    if (typeof value !== 'string') throw this.wrong(name, `must be a string, not ${describe(value)}`);
    return value;
  }

  stringOr<Default>(name: string, absent: Default): string | Default {
    return this.has(name) ? this.string(name) : absent;
  }

  /** A 32-bit integer. */
  int(name: string): number {
    const value = this.#required(name);
    if (typeof value !== 'number' || !Number.isInteger(value) || Math.abs(value) > intMax) {
      throw this.wrong(name, `must be a 32-bit integer, not ${describe(value)}`);
    }
    return value;
  }

  intOr<Default>(name: string, absent: Default): number | Default {
    return this.has(name) ? this.int(name) : absent;
  }

  /** A 64-bit integer, exactly. */
  long(name: string): bigint {
    return this.#longOf(this.#required(name), name);
  }

  longOr<Default>(name: string, absent: Default): bigint | Default {
    return this.has(name) ? this.long(name) : absent;
  }

  longs(name: string): bigint[] {
    return this.array(name).map((value, index) => this.#longOf(value, `${name}[${index}]`));
  }

  /** Milliseconds and other counts that a double holds. */
  count(name: string): number {
    const value = Number(this.long(name));
    if (!Number.isSafeInteger(value)) throw this.wrong(name, 'is beyond 2^53');
    return value;
  }

  countOr<Default>(name: string, absent: Default): number | Default {
    return this.has(name) ? this.count(name) : absent;
  }

  ints(name: string): number[] {
    return this.array(name).map((value, index) => {
      if (typeof value === 'number' && Number.isInteger(value) && Math.abs(value) <= intMax) return value;
      throw this.wrong(`${name}[${index}]`, `must be a 32-bit integer, not ${describe(value)}`);
    });
  }

  strings(name: string): string[] {
    return this.array(name).map((value, index) => {
      if (typeof value === 'string') return value;
      throw this.wrong(`${name}[${index}]`, `must be a string, not ${describe(value)}`);
    });
  }

  array(name: string): readonly unknown[] {
    const value = this.#required(name);
    if (!Array.isArray(value)) throw this.wrong(name, `must be an array, not ${describe(value)}`);
    return value;
  }

  arrayOr(name: string, absent: readonly unknown[]): readonly unknown[] {
    return this.has(name) ? this.array(name) : absent;
  }

  /** The member as an object of its own. */
  members(name: string): JsonMembers {
    return new JsonMembers(this.#required(name), this.#code, this.pathOf(name));
  }

  /** Each entry of an array member as an object of its own; none where the member is absent. */
  eachOr(name: string): JsonMembers[] {
    return this.arrayOr(name, []).map((value, index) => this.at(value, `${name}[${index}]`));
  }

  /** A value found somewhere below this object, as an object of its own. */
  at(value: unknown, place: string): JsonMembers {
    return new JsonMembers(value, this.#code, this.pathOf(place));
  }

  /** A map of strings. Numbers and booleans, which some writers leave unquoted, are taken by their text. */
  stringMap(name: string): Map<string, string> {
    const map = new Map<string, string>();
    if (!this.has(name)) return map;
    for (const [key, value] of Object.entries(this.members(name).whole())) {
      if (typeof value === 'object' || value === undefined) {
        throw this.wrong(`${name}.${key}`, `must be a string, not ${describe(value)}`);
      }
      map.set(key, String(value));
    }
    return map;
  }

  /** The members not named, as they came. */
  rest(known: ReadonlySet<string>): Map<string, unknown> {
    return new Map(Object.entries(this.#object).filter(([name]) => !known.has(name)));
  }

  /**
   * Runs a reader of another module on a part of this object; its refusals get the part's path and this object's code, except
   * those that say that Headrace, not the object, falls short.
   */
  within<Result>(place: string, read: () => Result): Result {
    try {
      return read();
    } catch (error) {
      if (!isServiceError(error)) throw this.wrong(place, 'cannot be read', error);
      const code = error.code === 'UNSUPPORTED_FEATURE' || error.code === 'LIMIT_EXCEEDED' ? error.code : this.#code;
      throw new ServiceError(code, `${this.pathOf(place)}: ${error.message}`, { cause: error });
    }
  }

  wrong(place: string, text: string, cause?: unknown): ServiceError {
    return new ServiceError(this.#code, `${this.pathOf(place)} ${text}`, { cause });
  }

  pathOf(place: string): string {
    return place === '' ? this.#path : `${this.#path}.${place}`;
  }

  #required(name: string): unknown {
    if (!this.has(name)) throw this.wrong(name, 'is missing');
    return this.#object[name];
  }

  #longOf(value: unknown, place: string): bigint {
    const exact =
      typeof value === 'bigint'
        ? value
        : typeof value === 'number' && Number.isSafeInteger(value)
          ? BigInt(value)
          : null;
    if (exact === null || exact < longMin || exact > longMax) {
      throw this.wrong(place, `must be a 64-bit integer, not ${describe(value)}`);
    }
    return exact;
  }
}

const textCharsMax = 40;

function describe(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object') return 'an object';
  if (typeof value !== 'string') return String(value);
  return JSON.stringify(value.length > textCharsMax ? `${value.slice(0, textCharsMax)}…` : value);
}
