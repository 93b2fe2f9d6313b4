import type { ColumnPath } from '../column-path.ts';
import { ServiceError } from '../errors.ts';
import type { ExpressionOf, Literal, Term } from '../expression.ts';
import type { FieldId } from '../ids.ts';
import { depthCeiling, type TemplateLiteral } from './grammar.ts';

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

/** The distinct fields that are named by id. */
export function collectFields(expression: AnyExpression): Set<FieldId> {
  return new Set(termsOf(expression).flatMap((term) => (term.kind === 'field' ? [term.fieldId] : [])));
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

/**
 * Checks an expression that was put together by code (several policies joined, say) against the limits that a parser would have
 * applied. Throws INVALID_FILTER. Needs no stack.
 */
export function checkExpressionSize(
  expression: AnyExpression,
  limits: { readonly filterDepthMax: number; readonly filterNodesMax: number },
): void {
  const depthMax = Math.min(limits.filterDepthMax, depthCeiling);
  let nodes = 0;
  const pending: { readonly node: AnyExpression; readonly depth: number }[] = [{ node: expression, depth: 0 }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { node, depth } = next;
    nodes += 1 + (node.kind === 'in' ? node.literals.length : 0);
    if (nodes > limits.filterNodesMax) {
      throw new ServiceError(
        'INVALID_FILTER',
        `the filter has more than ${limits.filterNodesMax} conditions and list values`,
      );
    }
    if (depth > depthMax)
      throw new ServiceError('INVALID_FILTER', `the filter is nested deeper than ${depthMax} levels`);
    if (node.kind === 'not') pending.push({ node: node.of, depth: depth + 1 });
    else if (node.kind === 'and' || node.kind === 'or') {
      for (const child of node.of) pending.push({ node: child, depth: depth + 1 });
    }
  }
}
