import { ServiceError } from './errors.ts';

/** A JSON object's members; made without a prototype, so that a member called `__proto__` is one like any other. */
export type JsonObject = { readonly [name: string]: unknown };

export interface JsonBounds {
  readonly bytesMax: number;
  readonly depthMax: number;
}

export interface StrictJson {
  readonly value: unknown;
  /** The source text of a member of the outermost object, for what must not lose digits; undefined where there is none. */
  memberSource(name: string): string | undefined;
}

/**
 * Parses one JSON text (RFC 8259) strictly: UTF-8 without a byte order mark, at most `bytesMax` bytes and `depthMax` levels, no
 * object with one name twice. `what` names the text in messages. Throws INVALID_REQUEST, or LIMIT_EXCEEDED where it is too large.
 */
export function parseStrictJson(bytes: Uint8Array, bounds: JsonBounds, what: string): StrictJson {
  if (bytes.byteLength > bounds.bytesMax) {
    throw new ServiceError(
      'LIMIT_EXCEEDED',
      `the ${what} has ${bytes.byteLength} bytes, the limit is ${bounds.bytesMax} (limits.requestBytesMax)`,
    );
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new ServiceError('INVALID_REQUEST', `the ${what} is not UTF-8 text`, { cause });
  }
  let value: unknown;
  try {
    value = JSON.parse(text, withoutPrototype);
  } catch (cause) {
    throw new ServiceError('INVALID_REQUEST', `the ${what} is not valid JSON`, { cause });
  }
  const members = scan(text, bounds.depthMax, what);
  return { value, memberSource: (name) => members.get(name) };
}

function withoutPrototype(_key: string, value: unknown): unknown {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.setPrototypeOf(value, null)
    : value;
}

interface Level {
  /** Names seen in an object; null in an array. */
  readonly names: Set<string> | null;
  /** Whether the next string is a name. */
  expectsName: boolean;
  name: string;
  valueStart: number;
}

/**
 * Walks a text that `JSON.parse` has accepted, in one pass without recursion, and refuses what `JSON.parse` lets through: a name
 * given twice, too many levels. Gives the source of each member of the outermost object.
 */
function scan(text: string, depthMax: number, what: string): ReadonlyMap<string, string> {
  const members = new Map<string, string>();
  const levels: Level[] = [];
  const endMember = (end: number): void => {
    const level = levels[0];
    if (levels.length === 1 && level?.names && !level.expectsName) {
      members.set(level.name, text.slice(level.valueStart, end).trim());
    }
  };
  for (let at = 0; at < text.length; at++) {
    const level = levels[levels.length - 1];
    switch (text[at]) {
      case '{':
      case '[':
        if (levels.length === depthMax) {
          throw new ServiceError('INVALID_REQUEST', `the ${what} is nested deeper than ${depthMax} levels`);
        }
        levels.push({
          names: text[at] === '{' ? new Set() : null,
          expectsName: text[at] === '{',
          name: '',
          valueStart: at,
        });
        break;
      case '}':
      case ']':
        endMember(at);
        levels.pop();
        break;
      case ',':
        endMember(at);
        if (level?.names) level.expectsName = true;
        break;
      case ':':
        if (level) level.valueStart = at + 1;
        break;
      case '"': {
        const end = endOfString(text, at);
        if (level?.names && level.expectsName) {
          const name = JSON.parse(text.slice(at, end)) as string;
          if (level.names.has(name)) {
            throw new ServiceError('INVALID_REQUEST', `the ${what} gives ${JSON.stringify(name)} twice in one object`);
          }
          level.names.add(name);
          level.name = name;
          level.expectsName = false;
        }
        at = end - 1;
        break;
      }
    }
  }
  return members;
}

function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}
