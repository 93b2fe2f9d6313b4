import type { Expression, ExpressionOf } from '../expression.ts';
import { type FilterLimits, FilterParser, type TemplateLiteral } from './grammar.ts';

export { bindClaims } from './claims.ts';
export type { ClaimPlaceholder, FilterLimits, TemplateLiteral } from './grammar.ts';

/** A filter of a policy: `principal.claims.X` may stand wherever a literal may. {@link bindClaims} makes an expression of it. */
export type PolicyFilter = ExpressionOf<TemplateLiteral>;

/**
 * Reads a filter: SQL's comparisons of a column with a literal, IN, BETWEEN, IS [NOT] NULL, IS [NOT] NAN, LIKE 'prefix%', NOT, AND,
 * OR, parentheses, TRUE, FALSE, and a boolean column by itself. Names are case-sensitive (`a.b."odd.name"`), keywords are not.
 * In a LIKE pattern `%` may stand at the end only, `_` not at all, and a backslash makes either (or itself) ordinary.
 * Throws INVALID_FILTER with the place, what was expected and what stands there.
 */
export function parseFilter(text: string, limits: FilterLimits): Expression {
  // Without claims the parser makes no placeholder.
  return new FilterParser(text, limits, false).parseAll() as Expression;
}

/** The same grammar with `principal.claims.X`, also as the whole list of an IN (`region IN principal.claims.regions`). */
export function parsePolicyFilter(text: string, limits: FilterLimits): PolicyFilter {
  return new FilterParser(text, limits, true).parseAll();
}
