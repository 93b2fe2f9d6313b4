import { parsePrimitiveType } from '../../catalog/schema/type-text.ts';
import type { NestedField, StructType, Type } from '../../catalog/schema/types.ts';
import { ServiceError } from '../../core/errors.ts';
import { fieldId } from '../../core/ids.ts';

const depthMax = 64;
const charsMax = 64 * 1024;

/**
 * Reads a column's type: a primitive one (`string`, `decimal(9, 2)`, `fixed[16]`), `list<T>`, `map<K, V>` or `struct<name: T, …>`, whose
 * names may stand in double quotes. Everything inside is optional but a map's key; ids are 0, for whoever adds the column gives them.
 * Throws INVALID_REQUEST.
 */
export function parseType(text: string): Type {
  if (text.length > charsMax) throw new ServiceError('INVALID_REQUEST', `a type has at most ${charsMax} characters`);
  const reader = new TypeReader(text);
  const type = reader.type(0);
  reader.end();
  return type;
}

const optional = (name: string, type: Type): NestedField => ({ id: fieldId(0), name, required: false, type });

class TypeReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  type(depth: number): Type {
    if (depth > depthMax) throw this.#bad(`nests more than ${depthMax} levels`);
    const container = this.#match(/(list|map|struct)\s*</iy)?.[1]?.toLowerCase();
    switch (container) {
      case 'list': {
        const element = optional('element', this.type(depth + 1));
        this.#expect('>');
        return { kind: 'list', element };
      }
      case 'map': {
        const key = { ...optional('key', this.type(depth + 1)), required: true };
        this.#expect(',');
        const value = optional('value', this.type(depth + 1));
        this.#expect('>');
        return { kind: 'map', key, value };
      }
      case 'struct':
        return this.#struct(depth);
      default:
        return parsePrimitiveType(
          this.#match(/\w+(?:\s*\([^()]*\)|\s*\[[^[\]]*\])?/y)?.[0] ?? this.#text.slice(this.#at),
        );
    }
  }

  end(): void {
    this.#match(/\s*/y);
    if (this.#at < this.#text.length)
      throw this.#bad(`has ${JSON.stringify(this.#text.slice(this.#at))} after its end`);
  }

  #struct(depth: number): StructType {
    const fields: NestedField[] = [];
    do {
      const name = this.#match(/"((?:[^"]|"")+)"|([^\s:<>,"]+)/y);
      if (name === null) throw this.#bad('lacks the name of a field');
      this.#expect(':');
      fields.push(optional(name[1]?.replaceAll('""', '"') ?? name[2]!, this.type(depth + 1)));
    } while (this.#match(/,/y) !== null);
    this.#expect('>');
    return { kind: 'struct', fields };
  }

  #expect(char: string): void {
    if (!this.#text.startsWith(char, this.#skipSpaces())) throw this.#bad(`lacks a ${JSON.stringify(char)}`);
    this.#at += char.length;
  }

  /** What the sticky pattern finds here, spaces before it skipped. */
  #match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#skipSpaces();
    const match = pattern.exec(this.#text);
    if (match !== null) this.#at = pattern.lastIndex;
    return match;
  }

  #skipSpaces(): number {
    while (/\s/.test(this.#text[this.#at] ?? '')) this.#at++;
    return this.#at;
  }

  #bad(what: string): ServiceError {
    const text = JSON.stringify(this.#text.slice(0, 200));
    return new ServiceError(
      'INVALID_REQUEST',
      `the type ${text} ${what}: write such as list<string> or struct<a: int, b: string>`,
    );
  }
}
