/** Words that cannot stand for a column unless they are quoted. */
export const reservedWords: ReadonlySet<string> = new Set([
  'AND',
  'BETWEEN',
  'FALSE',
  'IN',
  'IS',
  'LIKE',
  'NOT',
  'NULL',
  'OR',
  'TRUE',
]);

const plainName = /^[\p{L}_][\p{L}\p{N}_$]*$/u;

/** A column's path as a filter writes it: every part that is not a plain word in double quotes. */
export function formatFilterColumn(path: readonly string[]): string {
  return path.map((part, position) => (isPlain(part, position) ? part : `"${part.replaceAll('"', '""')}"`)).join('.');
}

/** `principal` is quoted so that the text means the same in a policy, where `principal.claims.x` is a claim. */
function isPlain(part: string, position: number): boolean {
  const upper = part.toUpperCase();
  return plainName.test(part) && !reservedWords.has(upper) && !(position === 0 && upper === 'PRINCIPAL');
}

/**
 * The pattern of a LIKE: `%` matches anything and may stand only at the end, `_` is refused, and a backslash makes `%`, `_` or a
 * backslash ordinary. Says what is wrong where the pattern is another one.
 */
export function parseLikePattern(
  pattern: string,
): { readonly kind: 'exact' | 'prefix'; readonly text: string } | { readonly kind: 'wrong'; readonly problem: string } {
  const parts: string[] = [];
  for (let at = 0; at < pattern.length; ) {
    const special = pattern.slice(at).search(/[%_\\]/);
    if (special < 0) {
      parts.push(pattern.slice(at));
      break;
    }
    parts.push(pattern.slice(at, at + special));
    at += special;
    const char = pattern[at]!;
    if (char === '\\') {
      const escaped = pattern[at + 1];
      if (escaped === undefined || !'%_\\'.includes(escaped)) {
        return { kind: 'wrong', problem: 'a backslash in LIKE stands before %, _ or another backslash' };
      }
      parts.push(escaped);
      at += 2;
    } else if (char === '_') {
      return {
        kind: 'wrong',
        problem: "LIKE knows no _ wildcard: write \\_ for the character, or a prefix such as 'abc%'",
      };
    } else if (/^%+$/.test(pattern.slice(at))) {
      return { kind: 'prefix', text: parts.join('') };
    } else {
      return {
        kind: 'wrong',
        problem: "LIKE matches prefixes only: % may stand at the end ('abc%'), write \\% for the character",
      };
    }
  }
  return { kind: 'exact', text: parts.join('') };
}

/** A LIKE pattern that matches exactly the strings with this prefix. */
export const prefixPattern = (prefix: string): string => `${prefix.replace(/[%_\\]/g, '\\$&')}%`;
