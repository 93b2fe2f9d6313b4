import type { ColumnPath } from '../column-path.ts';
import { ServiceError } from '../errors.ts';
import type { ExpressionOf, Term } from '../expression.ts';
import type { FieldId } from '../ids.ts';
import type { TemplateLiteral } from './grammar.ts';
import { formatFilterColumn, prefixPattern } from './words.ts';

export interface FormatOptions {
  /** The name of a field that the expression holds by id; null for an unknown one. */
  readonly pathOf?: (fieldId: FieldId) => ColumnPath | null;
}

type Node = ExpressionOf<TemplateLiteral>;

/**
 * A filter as text that parses back to the same expression (a JSON filter's strings become plain strings, AND or OR of fewer than
 * two operands becomes what it means). Fields by id need `pathOf`; throws INTERNAL for one that it does not name.
 */
export function formatFilter(expression: Node, options: FormatOptions = {}): string {
  return formatNode(expression, options);
}

function formatNode(node: Node, options: FormatOptions): string {
  const column = (term: Term): string => formatTerm(term, options);
  switch (node.kind) {
    case 'true':
    case 'false':
      return node.kind.toUpperCase();
    case 'and':
    case 'or':
      return formatChain(node.kind, node.of, options);
    case 'not':
      return formatNot(node.of, options);
    case 'compare':
      return `${column(node.term)} ${node.op} ${formatLiteral(node.literal)}`;
    case 'in':
      return formatIn(column(node.term), 'IN', node.literals);
    case 'is-null':
      return `${column(node.term)} IS NULL`;
    case 'is-nan':
      return `${column(node.term)} IS NAN`;
    case 'starts-with':
      return `${column(node.term)} LIKE ${quote(prefixPattern(node.prefix))}`;
    default:
      return node satisfies never;
  }
}

function formatChain(kind: 'and' | 'or', operands: readonly Node[], options: FormatOptions): string {
  if (operands.length === 0) return kind === 'and' ? 'TRUE' : 'FALSE';
  if (operands.length === 1) return formatNode(operands[0]!, options);
  return operands
    .map((operand) => {
      const text = formatNode(operand, options);
      return isChain(operand) ? `(${text})` : text;
    })
    .join(` ${kind.toUpperCase()} `);
}

function formatNot(of: Node, options: FormatOptions): string {
  switch (of.kind) {
    case 'is-null':
      return `${formatTerm(of.term, options)} IS NOT NULL`;
    case 'is-nan':
      return `${formatTerm(of.term, options)} IS NOT NAN`;
    case 'in':
      return of.literals.length === 0 ? 'NOT FALSE' : formatIn(formatTerm(of.term, options), 'NOT IN', of.literals);
    case 'starts-with':
      return `${formatTerm(of.term, options)} NOT LIKE ${quote(prefixPattern(of.prefix))}`;
    default: {
      const text = formatNode(of, options);
      return isChain(of) ? `NOT (${text})` : `NOT ${text}`;
    }
  }
}

const isChain = (node: Node): boolean => (node.kind === 'and' || node.kind === 'or') && node.of.length > 1;

/** An empty list is not text that parses: it is the FALSE that it means. */
function formatIn(column: string, keyword: string, literals: readonly TemplateLiteral[]): string {
  return literals.length === 0 ? 'FALSE' : `${column} ${keyword} (${literals.map(formatLiteral).join(', ')})`;
}

function formatTerm(term: Term, { pathOf }: FormatOptions): string {
  const path = term.kind === 'column' ? term.path : (pathOf?.(term.fieldId) ?? null);
  if (path === null) throw new ServiceError('INTERNAL', 'a filter names a field by id and no name is known for it');
  return formatFilterColumn(path);
}

function formatLiteral(literal: TemplateLiteral): string {
  switch (literal.kind) {
    case 'boolean':
      return literal.value ? 'TRUE' : 'FALSE';
    case 'number':
      return literal.text;
    case 'string':
      return quote(literal.value);
    case 'typed':
      return literal.type === 'json' ? quote(literal.value) : `${literal.type.toUpperCase()} ${quote(literal.value)}`;
    case 'binary':
      return `X'${Buffer.from(literal.value).toString('hex').toUpperCase()}'`;
    case 'claim':
      return `principal.claims.${formatFilterColumn(['x', literal.name]).slice(2)}`;
    default:
      return literal satisfies never;
  }
}

const quote = (text: string): string => `'${text.replaceAll("'", "''")}'`;
