import { ServiceError } from '../errors.ts';

/**
 * One lexical element of a filter. `text` is the meaning for words (as written), quoted names (unquoted), strings (unquoted),
 * binary literals (hex digits) and numbers (as written); `start` and `end` are its place in the filter.
 */
export interface Token {
  readonly kind: 'word' | 'quoted-name' | 'string' | 'binary' | 'number' | 'symbol' | 'end';
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

const space = /[ \t\r\n]*/y;
const word = /[\p{L}_][\p{L}\p{N}_$]*/uy;
const number = /(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?/y;
const symbol = /<>|!=|<=|>=|[=<>(),.+-]/y;
const hexDigits = /^(?:[0-9a-fA-F]{2})*$/;
const nearChars = 24;

/** Splits a filter into tokens, one at a time; works in linear time and needs no stack. */
export class TokenReader {
  readonly #text: string;
  #at = 0;
  #peeked: Token | null = null;

  /** Throws INVALID_FILTER for text that holds half of a surrogate pair, which no UTF-8 column can equal. */
  constructor(text: string) {
    this.#text = text;
    if (!text.isWellFormed()) throw new ServiceError('INVALID_FILTER', 'the filter is not well-formed Unicode text');
  }

  peek(): Token {
    this.#peeked ??= this.#read();
    return this.#peeked;
  }

  next(): Token {
    const token = this.peek();
    this.#peeked = null;
    return token;
  }

  /** INVALID_FILTER that says what was expected, what stands there instead, and where. */
  unexpected(token: Token, expected: string): ServiceError {
    const found = token.kind === 'end' ? 'the end of the filter' : shorten(this.#text.slice(token.start, token.end));
    return this.failure(token.start, `expected ${expected}, found ${found}`);
  }

  /** INVALID_FILTER with the place of `at`: line, column (from 1, in characters) and what stands just before it. */
  failure(at: number, problem: string): ServiceError {
    const lineStart = this.#text.lastIndexOf('\n', at - 1) + 1;
    let line = 1;
    for (let end = this.#text.indexOf('\n'); end >= 0 && end < at; end = this.#text.indexOf('\n', end + 1)) line++;
    const column = [...this.#text.slice(lineStart, at)].length + 1;
    const before = this.#text.slice(Math.max(lineStart, at - nearChars), at).toWellFormed();
    const near = before.trim() === '' ? '' : `, after ${JSON.stringify(before)}`;
    return new ServiceError('INVALID_FILTER', `filter, line ${line}, column ${column}${near}: ${problem}`);
  }

  #read(): Token {
    space.lastIndex = this.#at;
    space.test(this.#text);
    const start = space.lastIndex;
    if (start === this.#text.length) return { kind: 'end', text: '', start, end: start };
    const first = this.#text[start]!;
    if (first === "'") return this.#readQuoted('string', start, start);
    if (first === '"') return this.#readQuoted('quoted-name', start, start);
    if ((first === 'x' || first === 'X') && this.#text[start + 1] === "'") return this.#readBinary(start);
    const token = this.#match(word, 'word', start) ?? this.#match(number, 'number', start);
    if (token !== null) return token.kind === 'number' ? this.#checkNumberEnd(token) : token;
    const found = this.#match(symbol, 'symbol', start);
    if (found !== null) return found;
    throw this.failure(
      start,
      `${JSON.stringify(String.fromCodePoint(this.#text.codePointAt(start)!))} has no meaning in a filter`,
    );
  }

  #match(pattern: RegExp, kind: Token['kind'], start: number): Token | null {
    pattern.lastIndex = start;
    if (!pattern.test(this.#text)) return null;
    const end = pattern.lastIndex;
    this.#at = end;
    return { kind, text: this.#text.slice(start, end), start, end };
  }

  #checkNumberEnd(token: Token): Token {
    word.lastIndex = token.end;
    if (word.test(this.#text))
      throw this.failure(token.end, `a number ends where a name begins: write a space after ${shorten(token.text)}`);
    return token;
  }

  /** Text between quotes, a doubled quote standing for one; `open` is the place of the opening quote. */
  #readQuoted(kind: 'string' | 'quoted-name' | 'binary', start: number, open: number): Token {
    const quote = this.#text[open]!;
    const parts: string[] = [];
    for (let from = open + 1; ; ) {
      const close = this.#text.indexOf(quote, from);
      if (close < 0) throw this.failure(start, `the quote ${quote} is never closed`);
      if (this.#text[close + 1] !== quote) {
        parts.push(this.#text.slice(from, close));
        this.#at = close + 1;
        return { kind, text: parts.join(''), start, end: close + 1 };
      }
      parts.push(this.#text.slice(from, close + 1));
      from = close + 2;
    }
  }

  #readBinary(start: number): Token {
    const token = this.#readQuoted('binary', start, start + 1);
    if (!hexDigits.test(token.text)) throw this.failure(start, "a binary literal is pairs of hex digits: X'0AFF'");
    return token;
  }
}

function shorten(text: string): string {
  return text.length <= nearChars ? text : `${text.slice(0, nearChars).toWellFormed()}…`;
}
