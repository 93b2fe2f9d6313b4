import { formatColumnPath, parseColumnPath } from '../column-path.ts';
import { isServiceError, ServiceError } from '../errors.ts';
import type { CompareOp, Expression, Literal, Term } from '../expression.ts';
import { always, never } from '../expression.ts';
import { type FieldId, fieldId } from '../ids.ts';
import { depthCeiling, type FilterLimits } from './grammar.ts';

export { type FormatOptions, formatFilter } from './format.ts';

const compareOps: ReadonlyMap<string, CompareOp> = new Map([
  ['eq', '='],
  ['not-eq', '!='],
  ['lt', '<'],
  ['lt-eq', '<='],
  ['gt', '>'],
  ['gt-eq', '>='],
]);
const jsonOps = new Map([...compareOps].map(([name, op]) => [op, name]));
const known =
  'true, false, and, or, not, eq, not-eq, lt, lt-eq, gt, gt-eq, in, not-in, is-null, not-null, is-nan, not-nan, starts-with, not-starts-with';

/**
 * Reads Iceberg's expression JSON (REST catalog API, `Expression`). A term is a dotted name, or `{"type": "reference", "id": N}`
 * for a field by id; transform terms answer UNSUPPORTED_FEATURE. Values are JSON single-value serializations; an integer
 * beyond 2^53 must come as a bigint (catalog/metadata/big-json.ts) or a string, since a JSON number has lost its digits. Chains of one
 * operator are flattened and count as one level. Throws INVALID_FILTER naming the place in the JSON.
 */
export function parseFilterJson(json: unknown, limits: FilterLimits): Expression {
  return new JsonReader(limits).readNode(json, '$', 0);
}

class JsonReader {
  readonly #limits: FilterLimits;
  #nodes = 0;
  #chars = 0;

  constructor(limits: FilterLimits) {
    this.#limits = limits;
  }

  readNode(json: unknown, place: string, depth: number): Expression {
    const depthMax = Math.min(this.#limits.filterDepthMax, depthCeiling);
    if (depth > depthMax) throw wrong(place, `the filter is nested deeper than ${depthMax} levels`);
    this.#countNode(place);
    if (typeof json === 'boolean') return json ? always : never;
    if (!isObject(json)) throw wrong(place, 'an expression is an object with a type');
    const type = json.type;
    switch (type) {
      case 'true':
        return this.#only(json, ['type'], place, always);
      case 'false':
        return this.#only(json, ['type'], place, never);
      case 'and':
      case 'or':
        return this.#readChain(type, json, place, depth);
      case 'not':
        this.#only(json, ['type', 'child'], place, null);
        return { kind: 'not', of: this.readNode(json.child, `${shortPlace(place)}.child`, depth + 1) };
      case 'is-null':
      case 'is-nan':
        this.#only(json, ['type', 'term'], place, null);
        return { kind: type, term: this.#readTerm(json.term, place) };
      case 'not-null':
      case 'not-nan':
        this.#only(json, ['type', 'term'], place, null);
        return {
          kind: 'not',
          of: { kind: type === 'not-null' ? 'is-null' : 'is-nan', term: this.#readTerm(json.term, place) },
        };
      case 'in':
        return this.#readIn(json, place);
      case 'not-in':
        return { kind: 'not', of: this.#readIn(json, place) };
      case 'starts-with':
        return this.#readStartsWith(json, place);
      case 'not-starts-with':
        return { kind: 'not', of: this.#readStartsWith(json, place) };
      default:
        return this.#readCompare(type, json, place);
    }
  }

  /** The operands of nested ANDs (or ORs), left to right, found without recursion: clients nest long chains one inside the other. */
  #readChain(kind: 'and' | 'or', json: JsonObject, place: string, depth: number): Expression {
    const operands: Expression[] = [];
    const pending: { readonly json: unknown; readonly place: string }[] = [{ json, place }];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      const node = next.json;
      if (isObject(node) && node.type === kind) {
        this.#countNode(next.place);
        this.#only(node, ['type', 'left', 'right'], next.place, null);
        const at = shortPlace(next.place);
        pending.push({ json: node.right, place: `${at}.right` }, { json: node.left, place: `${at}.left` });
      } else operands.push(this.readNode(node, next.place, depth + 1));
    }
    return { kind, of: operands };
  }

  #readCompare(type: unknown, json: JsonObject, place: string): Expression {
    const op = typeof type === 'string' ? compareOps.get(type) : undefined;
    if (op === undefined) throw wrong(`${place}.type`, `expected one of ${known}`);
    this.#only(json, ['type', 'term', 'value'], place, null);
    return {
      kind: 'compare',
      op,
      term: this.#readTerm(json.term, place),
      literal: this.#readLiteral(json.value, `${place}.value`),
    };
  }

  #readIn(json: JsonObject, place: string): Expression {
    this.#only(json, ['type', 'term', 'values'], place, null);
    const values = json.values;
    if (!Array.isArray(values)) throw wrong(`${place}.values`, 'expected an array of literals');
    const literals: Literal[] = [];
    for (const [position, value] of values.entries()) {
      this.#countNode(place);
      literals.push(this.#readLiteral(value, `${place}.values[${position}]`));
    }
    return { kind: 'in', term: this.#readTerm(json.term, place), literals };
  }

  #readStartsWith(json: JsonObject, place: string): Expression {
    this.#only(json, ['type', 'term', 'value'], place, null);
    const prefix = json.value;
    if (typeof prefix !== 'string') throw wrong(`${place}.value`, 'expected the prefix as a string');
    return {
      kind: 'starts-with',
      term: this.#readTerm(json.term, place),
      prefix: this.#checkText(prefix, `${place}.value`),
    };
  }

  #readTerm(term: unknown, parent: string): Term {
    const place = `${parent}.term`;
    if (typeof term === 'string') return this.#readName(term, place);
    if (!isObject(term)) throw wrong(place, 'expected the name of a column');
    if (term.type === 'transform') {
      throw new ServiceError(
        'UNSUPPORTED_FEATURE',
        `filter, ${place}: terms with a transform are not supported; compare the column itself`,
      );
    }
    const id = term.id;
    if (term.type === 'reference' && typeof id === 'number' && Number.isInteger(id)) {
      this.#only(term, ['type', 'id'], place, null);
      return { kind: 'field', fieldId: fieldId(id) };
    }
    throw wrong(place, 'expected the name of a column');
  }

  #readName(name: string, place: string): Term {
    try {
      return { kind: 'column', path: parseColumnPath(this.#checkText(name, place)) };
    } catch (error) {
      if (isServiceError(error, 'INVALID_REQUEST')) throw wrong(place, error.message);
      throw error;
    }
  }

  #readLiteral(value: unknown, place: string): Literal {
    switch (typeof value) {
      case 'boolean':
        return { kind: 'boolean', value };
      case 'string':
        return { kind: 'typed', type: 'json', value: this.#checkText(value, place) };
      case 'bigint':
        return { kind: 'number', text: String(value) };
      case 'number':
        if (Number.isInteger(value) && !Number.isSafeInteger(value) && Math.abs(value) < exponentFrom) {
          throw wrong(place, 'this number may have lost digits in JSON: write it as a string');
        }
        return { kind: 'number', text: String(value) };
      default:
        throw wrong(place, 'expected a string, a number or a boolean');
    }
  }

  #checkText(text: string, place: string): string {
    this.#chars += text.length;
    if (this.#chars > this.#limits.filterCharsMax) {
      throw wrong(place, `the filter's names and strings have more than ${this.#limits.filterCharsMax} characters`);
    }
    if (!text.isWellFormed()) throw wrong(place, 'the string is not well-formed Unicode text');
    return text;
  }

  #only<Result>(json: JsonObject, members: readonly string[], place: string, result: Result): Result {
    for (const name of Object.keys(json)) {
      if (!members.includes(name)) {
        throw wrong(
          place,
          `${JSON.stringify(name.slice(0, 40).toWellFormed())} has no meaning here: expected ${members.join(', ')}`,
        );
      }
    }
    for (const name of members) if (!Object.hasOwn(json, name)) throw wrong(place, `${name} is missing`);
    return result;
  }

  #countNode(place: string): void {
    if (++this.#nodes > this.#limits.filterNodesMax) {
      throw wrong(place, `the filter has more than ${this.#limits.filterNodesMax} conditions and list values`);
    }
  }
}

/** Beyond this, String() and so every JSON writer uses an exponent: nobody meant the digits. */
const exponentFrom = 1e21;

type JsonObject = { readonly [name: string]: unknown };

const isObject = (json: unknown): json is JsonObject =>
  typeof json === 'object' && json !== null && !Array.isArray(json);
const placeCharsMax = 200;

/** A place far down a chain is cut at its beginning, so that places stay short however long the chain is. */
const shortPlace = (place: string): string =>
  place.length <= placeCharsMax ? place : `…${place.slice(-placeCharsMax / 2)}`;
const wrong = (place: string, problem: string): ServiceError =>
  new ServiceError('INVALID_FILTER', `filter, ${shortPlace(place)}: ${problem}`);

/** The inverse of {@link parseFilterJson}: numbers become JSON numbers where those are exact, else bigints (big-json.ts) or strings. */
export function expressionToJson(expression: Expression): unknown {
  switch (expression.kind) {
    case 'true':
    case 'false':
      return { type: expression.kind };
    case 'not':
      return negatedJson(expression.of);
    case 'and':
    case 'or':
      return chainJson(expression.kind, expression.of.map(expressionToJson));
    case 'compare':
      return {
        type: jsonOps.get(expression.op),
        term: termJson(expression.term),
        value: literalJson(expression.literal),
      };
    case 'in':
      return { type: 'in', term: termJson(expression.term), values: expression.literals.map(literalJson) };
    case 'is-null':
    case 'is-nan':
      return { type: expression.kind, term: termJson(expression.term) };
    case 'starts-with':
      return { type: 'starts-with', term: termJson(expression.term), value: expression.prefix };
    default:
      return expression satisfies never;
  }
}

function negatedJson(of: Expression): unknown {
  switch (of.kind) {
    case 'is-null':
      return { type: 'not-null', term: termJson(of.term) };
    case 'is-nan':
      return { type: 'not-nan', term: termJson(of.term) };
    case 'in':
      return { type: 'not-in', term: termJson(of.term), values: of.literals.map(literalJson) };
    case 'starts-with':
      return { type: 'not-starts-with', term: termJson(of.term), value: of.prefix };
    default:
      return { type: 'not', child: expressionToJson(of) };
  }
}

/** Balanced, because a reader may recurse over it. */
function chainJson(kind: 'and' | 'or', operands: readonly unknown[]): unknown {
  if (operands.length === 0) return { type: kind === 'and' ? 'true' : 'false' };
  if (operands.length === 1) return operands[0];
  const middle = operands.length >> 1;
  return {
    type: kind,
    left: chainJson(kind, operands.slice(0, middle)),
    right: chainJson(kind, operands.slice(middle)),
  };
}

function termJson(term: Term): string | { readonly type: 'reference'; readonly id: FieldId } {
  return term.kind === 'column' ? formatColumnPath(term.path) : { type: 'reference', id: term.fieldId };
}

function literalJson(literal: Literal): unknown {
  switch (literal.kind) {
    case 'boolean':
    case 'string':
    case 'typed':
      return literal.value;
    case 'binary':
      return Buffer.from(literal.value).toString('hex').toUpperCase();
    case 'number':
      return numberJson(literal.text);
    default:
      return literal satisfies never;
  }
}

/** Digits that a double would lose travel as a bigint, or as a string, which is how Iceberg writes decimals. */
function numberJson(text: string): number | bigint | string {
  const value = Number(text);
  if (/^-?\d+$/.test(text)) return Number.isSafeInteger(value) && !Object.is(value, -0) ? value : BigInt(text);
  return String(value) === text ? value : text;
}
