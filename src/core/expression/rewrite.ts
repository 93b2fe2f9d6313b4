import type { ColumnPath } from '../column-path.ts';
import type { ExpressionOf, Literal, Term } from '../expression.ts';
import type { TemplateLiteral } from './grammar.ts';

type AnyExpression = ExpressionOf<Literal> | ExpressionOf<TemplateLiteral>;

/** Calls `visit` for every node, parents first. Needs no stack, so it may run before the depth is checked. */
export function walkExpression(expression: AnyExpression, visit: (node: AnyExpression) => void): void {
  const pending: AnyExpression[] = [expression];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    visit(node);
    if (node.kind === 'not') pending.push(node.of);
    else if (node.kind === 'and' || node.kind === 'or') pending.push(...[...node.of].reverse());
  }
}

/** Every term, in the order of the text, once for each time it is named. */
export function termsOf(expression: AnyExpression): Term[] {
  const terms: Term[] = [];
  walkExpression(expression, (node) => {
    if ('term' in node) terms.push(node.term);
  });
  return terms;
}

/** The distinct columns that are named by path, in the order of first mention. */
export function collectColumns(expression: AnyExpression): ColumnPath[] {
  const columns = new Map<string, ColumnPath>();
  for (const term of termsOf(expression)) {
    if (term.kind === 'column') columns.set(JSON.stringify(term.path), term.path);
  }
  return [...columns.values()];
}

/** The same expression with every term replaced; used to bind a policy's columns to field ids. */
export function mapTerms<L>(expression: ExpressionOf<L>, replace: (term: Term) => Term): ExpressionOf<L> {
  switch (expression.kind) {
    case 'true':
    case 'false':
      return expression;
    case 'not':
      return { ...expression, of: mapTerms(expression.of, replace) };
    case 'and':
    case 'or':
      return { ...expression, of: expression.of.map((child) => mapTerms(child, replace)) };
    default:
      return { ...expression, term: replace(expression.term) };
  }
}

/** Names of the claims that a policy's filter needs. */
export function collectClaims(filter: ExpressionOf<TemplateLiteral>): Set<string> {
  const names = new Set<string>();
  walkExpression(filter, (node) => {
    const literals = node.kind === 'compare' ? [node.literal] : node.kind === 'in' ? node.literals : [];
    for (const literal of literals) if (literal.kind === 'claim') names.add(literal.name);
  });
  return names;
}
