import type { Expression, ExpressionOf, Literal } from '../expression.ts';
import { never } from '../expression.ts';
import type { TemplateLiteral } from './grammar.ts';

/** Elements of one claim's array; a longer one counts as wrongly typed. */
const claimValuesMax = 10_000;

/**
 * Puts the principal's claims in place of the placeholders. A claim is a string, a boolean or a number, or for IN an array of
 * those. Where any claim that the filter names is missing, null or of another type (an object, an array outside IN, an integer
 * too large for JSON to have carried exactly), the result is {@link never}: the whole filter admits no row, whatever NOT or OR
 * surrounds the claim, so that a token with fewer claims never sees more rows. An empty array is an empty list: IN is false.
 */
export function bindClaims(filter: ExpressionOf<TemplateLiteral>, claims: ReadonlyMap<string, unknown>): Expression {
  return bindNode(filter, claims) ?? never;
}

function bindNode(node: ExpressionOf<TemplateLiteral>, claims: ReadonlyMap<string, unknown>): Expression | null {
  switch (node.kind) {
    case 'not': {
      const of = bindNode(node.of, claims);
      return of === null ? null : { kind: 'not', of };
    }
    case 'and':
    case 'or': {
      const of: Expression[] = [];
      for (const child of node.of) {
        const bound = bindNode(child, claims);
        if (bound === null) return null;
        of.push(bound);
      }
      return { ...node, of };
    }
    case 'compare': {
      const literal = node.literal.kind === 'claim' ? claimLiteral(claims.get(node.literal.name)) : node.literal;
      return literal === null ? null : { ...node, literal };
    }
    case 'in': {
      const literals: Literal[] = [];
      for (const literal of node.literals) {
        const bound = literal.kind === 'claim' ? claimLiterals(claims.get(literal.name)) : [literal];
        if (bound === null) return null;
        for (const one of bound) literals.push(one);
      }
      return { ...node, literals };
    }
    default:
      return node;
  }
}

function claimLiterals(claim: unknown): Literal[] | null {
  if (!Array.isArray(claim)) {
    const literal = claimLiteral(claim);
    return literal === null ? null : [literal];
  }
  if (claim.length > claimValuesMax) return null;
  const literals = claim.map(claimLiteral);
  return literals.every((literal) => literal !== null) ? literals : null;
}

function claimLiteral(claim: unknown): Literal | null {
  switch (typeof claim) {
    case 'string':
      return claim.isWellFormed() ? { kind: 'string', value: claim } : null;
    case 'boolean':
      return { kind: 'boolean', value: claim };
    case 'number':
      return isExact(claim) ? { kind: 'number', text: String(claim) } : null;
    case 'bigint':
      return { kind: 'number', text: String(claim) };
    default:
      return null;
  }
}

const isExact = (value: number): boolean =>
  Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value));
