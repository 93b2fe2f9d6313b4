import { ServiceError } from '../errors.ts';
import type { CompareOp, ExpressionOf, Literal, Term } from '../expression.ts';
import { type Token, TokenReader } from './tokens.ts';
import { parseLikePattern, reservedWords } from './words.ts';

export interface FilterLimits {
  readonly filterCharsMax: number;
  readonly filterDepthMax: number;
  readonly filterNodesMax: number;
}

/** `principal.claims.X`: a literal that the caller's token supplies. */
export interface ClaimPlaceholder {
  readonly kind: 'claim';
  readonly name: string;
}

export type TemplateLiteral = Literal | ClaimPlaceholder;
type Template = ExpressionOf<TemplateLiteral>;

/**
 * Parsing and everything after it recurses once or twice a level, so no configured depth may exceed what the smallest stack that
 * Node gives a worker thread takes.
 */
export const depthCeiling = 1_000;

const flipped: Readonly<Record<CompareOp, CompareOp>> = {
  '=': '=',
  '!=': '!=',
  '<': '>',
  '<=': '>=',
  '>': '<',
  '>=': '<=',
};
const typedWords: ReadonlyMap<string, 'date' | 'time' | 'timestamp' | 'uuid'> = new Map([
  ['DATE', 'date'],
  ['TIME', 'time'],
  ['TIMESTAMP', 'timestamp'],
  ['UUID', 'uuid'],
]);
const literalExpected =
  "a literal (10, 1.5, 'text', TRUE, DATE '2001-01-31', TIMESTAMP '2001-01-31T10:00:00Z', X'0AFF')";

/**
 * Recursive descent over a filter's text; the recursion is counted (open parentheses and NOTs), as are the nodes made, list
 * literals one each. Precedence, tightest first: comparison, NOT, AND, OR.
 */
export class FilterParser {
  readonly #tokens: TokenReader;
  readonly #limits: FilterLimits;
  readonly #claims: boolean;
  #depth = 0;
  #nodes = 0;

  constructor(text: string, limits: FilterLimits, claims: boolean) {
    if (text.length > limits.filterCharsMax) {
      throw new ServiceError(
        'INVALID_FILTER',
        `the filter has ${text.length} characters; at most ${limits.filterCharsMax} are allowed`,
      );
    }
    this.#tokens = new TokenReader(text);
    this.#limits = limits;
    this.#claims = claims;
  }

  parseAll(): Template {
    const whole = this.#parseOr();
    const end = this.#tokens.next();
    if (end.kind !== 'end') throw this.#tokens.unexpected(end, 'AND, OR or the end of the filter');
    return whole;
  }

  #parseOr(): Template {
    return this.#parseChain('or', 'OR', () => this.#parseAnd());
  }

  #parseAnd(): Template {
    return this.#parseChain('and', 'AND', () => this.#parseNot());
  }

  #parseChain(kind: 'and' | 'or', keyword: string, parseOperand: () => Template): Template {
    const first = parseOperand();
    if (!this.#takeWord(keyword)) return first;
    const operands = [first];
    do operands.push(parseOperand());
    while (this.#takeWord(keyword));
    return this.#made({ kind, of: operands });
  }

  #parseNot(): Template {
    let nots = 0;
    while (this.#takeWord('NOT')) {
      this.#enter();
      nots++;
    }
    let inner = this.#parsePrimary();
    for (let level = 0; level < nots; level++) inner = this.#made({ kind: 'not', of: inner });
    this.#depth -= nots;
    return inner;
  }

  #parsePrimary(): Template {
    const token = this.#tokens.peek();
    if (token.kind === 'symbol' && token.text === '(') {
      this.#enter();
      this.#tokens.next();
      const inner = this.#parseOr();
      this.#expectSymbol(')', 'AND, OR or )');
      this.#depth--;
      return inner;
    }
    const start = this.#tokens.peek();
    const operand = this.#parseOperand();
    return operand.kind === 'column' ? this.#parseAfterColumn(operand) : this.#parseAfterLiteral(operand, start);
  }

  #parseAfterLiteral(literal: TemplateLiteral, start: Token): Template {
    const op = this.#takeCompareOp();
    if (op === null) {
      if (literal.kind === 'boolean') return this.#made({ kind: literal.value ? 'true' : 'false' });
      const next = this.#tokens.peek();
      if (next.kind === 'end' || next.text === ')')
        throw this.#tokens.failure(start.start, 'a literal alone is no condition');
      throw this.#tokens.unexpected(next, 'a comparison (= != < <= > >=) after a literal');
    }
    const place = this.#tokens.peek();
    const term = this.#parseOperand();
    if (term.kind !== 'column') throw this.#tokens.failure(place.start, 'one side of a comparison must be a column');
    return this.#made({ kind: 'compare', op: flipped[op], term, literal });
  }

  #parseAfterColumn(term: Term): Template {
    const op = this.#takeCompareOp();
    if (op !== null) return this.#made({ kind: 'compare', op, term, literal: this.#parseLiteral() });
    if (this.#takeWord('IS')) return this.#parseIs(term);
    const place = this.#tokens.peek();
    if (!this.#takeWord('NOT')) {
      return (
        this.#parseTest(term) ??
        this.#made({ kind: 'compare', op: '=', term, literal: { kind: 'boolean', value: true } })
      );
    }
    const test = this.#parseTest(term);
    if (test === null)
      throw this.#tokens.unexpected(this.#tokens.peek(), `IN, BETWEEN or LIKE after NOT at column ${place.start + 1}`);
    return this.#made({ kind: 'not', of: test });
  }

  /** IN, BETWEEN or LIKE; null where none of them follows. */
  #parseTest(term: Term): Template | null {
    if (this.#takeWord('IN')) return this.#parseIn(term);
    if (this.#takeWord('BETWEEN')) {
      const from = this.#made({ kind: 'compare', op: '>=', term, literal: this.#parseLiteral() });
      if (!this.#takeWord('AND'))
        throw this.#tokens.unexpected(this.#tokens.peek(), 'AND and the upper end of BETWEEN');
      const to = this.#made({ kind: 'compare', op: '<=', term, literal: this.#parseLiteral() });
      return this.#made({ kind: 'and', of: [from, to] });
    }
    return this.#takeWord('LIKE') ? this.#parseLike(term) : null;
  }

  #parseIs(term: Term): Template {
    const not = this.#takeWord('NOT');
    const kind = this.#takeWord('NULL') ? 'is-null' : this.#takeWord('NAN') ? 'is-nan' : null;
    if (kind === null)
      throw this.#tokens.unexpected(this.#tokens.peek(), not ? 'NULL or NAN' : 'NULL, NAN or NOT after IS');
    const test = this.#made({ kind, term });
    return not ? this.#made({ kind: 'not', of: test }) : test;
  }

  #parseIn(term: Term): Template {
    const open = this.#tokens.peek();
    if (open.kind === 'word' && this.#isClaim(open)) {
      return this.#made({ kind: 'in', term, literals: [this.#parseLiteral()] });
    }
    this.#expectSymbol('(', '( and the list of IN');
    const literals: TemplateLiteral[] = [];
    do {
      literals.push(this.#parseLiteral());
      this.#countNode();
    } while (this.#takeSymbol(','));
    this.#expectSymbol(')', ', or ) in the list of IN');
    return this.#made({ kind: 'in', term, literals });
  }

  #parseLike(term: Term): Template {
    const token = this.#tokens.next();
    if (token.kind !== 'string') throw this.#tokens.unexpected(token, "a pattern such as 'abc%' after LIKE");
    const pattern = parseLikePattern(token.text);
    switch (pattern.kind) {
      case 'wrong':
        throw this.#tokens.failure(token.start, pattern.problem);
      case 'prefix':
        return this.#made({ kind: 'starts-with', term, prefix: pattern.text });
      default:
        return this.#made({ kind: 'compare', op: '=', term, literal: { kind: 'string', value: pattern.text } });
    }
  }

  #parseLiteral(): TemplateLiteral {
    const place = this.#tokens.peek();
    if (place.kind === 'word' && place.text.toUpperCase() === 'NULL') {
      throw this.#tokens.failure(place.start, 'nothing compares with NULL: write IS NULL or IS NOT NULL');
    }
    if (place.kind === 'quoted-name') {
      throw this.#tokens.unexpected(place, `${literalExpected}; text stands in single quotes`);
    }
    const operand = this.#parseOperand(literalExpected);
    if (operand.kind === 'column') {
      throw this.#tokens.failure(
        place.start,
        'a column can be compared with a literal only, and text stands in single quotes',
      );
    }
    return operand;
  }

  #parseOperand(expected = 'a column or a literal'): (Term & { kind: 'column' }) | TemplateLiteral {
    const token = this.#tokens.next();
    switch (token.kind) {
      case 'string':
        return { kind: 'string', value: token.text };
      case 'binary':
        return { kind: 'binary', value: new Uint8Array(Buffer.from(token.text, 'hex')) };
      case 'number':
        return { kind: 'number', text: token.text };
      case 'quoted-name':
        return this.#parsePath(token);
      case 'symbol':
        if (token.text === '-' || token.text === '+') return this.#parseSigned(token);
        throw this.#tokens.unexpected(token, expected);
      case 'word':
        return this.#parseWord(token, expected);
      default:
        throw this.#tokens.unexpected(token, expected);
    }
  }

  #parseSigned(sign: Token): Literal {
    const token = this.#tokens.next();
    if (token.kind !== 'number') throw this.#tokens.unexpected(token, `a number after ${sign.text}`);
    return { kind: 'number', text: sign.text === '-' ? `-${token.text}` : token.text };
  }

  #parseWord(token: Token, expected: string): (Term & { kind: 'column' }) | TemplateLiteral {
    const upper = token.text.toUpperCase();
    if (upper === 'TRUE' || upper === 'FALSE') return { kind: 'boolean', value: upper === 'TRUE' };
    const type = typedWords.get(upper);
    if (type !== undefined && this.#tokens.peek().kind === 'string') {
      return { kind: 'typed', type, value: this.#tokens.next().text };
    }
    if (reservedWords.has(upper)) {
      throw this.#tokens.unexpected(token, `${expected} (a column of that name stands in double quotes)`);
    }
    const path = this.#parsePath(token);
    return this.#isClaim(token) ? this.#toClaim(path, token) : path;
  }

  #isClaim(token: Token): boolean {
    return this.#claims && token.kind === 'word' && token.text === 'principal';
  }

  #toClaim({ path }: Term & { kind: 'column' }, start: Token): ClaimPlaceholder {
    const name = path[2];
    if (path[1] !== 'claims' || name === undefined || path.length > 3) {
      throw this.#tokens.failure(
        start.start,
        'of the principal a filter knows principal.claims.NAME (a column of that name stands in double quotes)',
      );
    }
    return { kind: 'claim', name };
  }

  #parsePath(first: Token): Term & { kind: 'column' } {
    const path = [first.text];
    while (this.#takeSymbol('.')) {
      const part = this.#tokens.next();
      if (part.kind !== 'word' && part.kind !== 'quoted-name')
        throw this.#tokens.unexpected(part, "a field's name after the dot");
      this.#countNode();
      path.push(part.text);
    }
    return { kind: 'column', path };
  }

  #takeCompareOp(): CompareOp | null {
    const token = this.#tokens.peek();
    if (token.kind !== 'symbol' || !/^(?:=|!=|<>|<=?|>=?)$/.test(token.text)) return null;
    this.#tokens.next();
    return token.text === '<>' ? '!=' : (token.text as CompareOp);
  }

  #takeWord(keyword: string): boolean {
    const token = this.#tokens.peek();
    if (token.kind !== 'word' || token.text.toUpperCase() !== keyword) return false;
    this.#tokens.next();
    return true;
  }

  #takeSymbol(symbol: string): boolean {
    const token = this.#tokens.peek();
    if (token.kind !== 'symbol' || token.text !== symbol) return false;
    this.#tokens.next();
    return true;
  }

  #expectSymbol(symbol: string, expected: string): void {
    const token = this.#tokens.next();
    if (token.kind !== 'symbol' || token.text !== symbol) throw this.#tokens.unexpected(token, expected);
  }

  #enter(): void {
    const depthMax = Math.min(this.#limits.filterDepthMax, depthCeiling);
    if (++this.#depth > depthMax) {
      const at = this.#tokens.peek().start;
      throw this.#tokens.failure(at, `parentheses and NOTs are nested deeper than ${depthMax} levels`);
    }
  }

  #made(node: Template): Template {
    this.#countNode();
    return node;
  }

  #countNode(): void {
    if (++this.#nodes > this.#limits.filterNodesMax) {
      throw this.#tokens.failure(
        this.#tokens.peek().start,
        `the filter has more than ${this.#limits.filterNodesMax} conditions and list values`,
      );
    }
  }
}
