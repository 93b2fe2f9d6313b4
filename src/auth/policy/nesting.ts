/**
 * A bound on how deeply the policies in a text are nested, and the line of the deepest one. Cedar's parser recurses, and an overflow
 * inside WebAssembly leaves its memory damaged, so that a text must be measured before Cedar sees it. Operators of one level count
 * as nested in each other, because that is how Cedar keeps them (`a || b || c`); this bound may be above the truth, never below.
 */
export function measureNesting(text: string): { readonly depth: number; readonly line: number } {
  const groups: Group[] = [newGroup()];
  let deepest = { depth: 0, line: 1 };
  let line = 1;
  const note = (depth: number): void => {
    if (depth > deepest.depth) deepest = { depth, line };
  };
  for (const [token] of text.matchAll(tokens)) {
    const group = groups[groups.length - 1]!;
    if (token === '\n') line++;
    else if (token.startsWith('"')) line += token.split('\n').length - 1;
    else if (token.startsWith('//')) continue;
    else if (opening.has(token)) {
      groups.push(newGroup());
      note(groups.length);
    } else if (closing.has(token)) {
      const depth = closeSegment(group) + 1;
      note(depth);
      if (groups.length > 1) groups.pop();
      const outer = groups[groups.length - 1]!;
      outer.inner = Math.max(outer.inner, depth);
    } else if (token === ',' || token === ';') note(closeSegment(group));
    else if (token === '.') group.members++;
    else {
      group.operators++;
      group.membersMax = Math.max(group.membersMax, group.members);
      group.members = 0;
    }
    if (groups.length > countedMax) break;
  }
  for (const group of groups) note(closeSegment(group));
  return deepest;
}

/** Beyond this, how much deeper makes no difference. */
const countedMax = 10_000;

const tokens = /\/\/[^\n]*|"(?:[^"\\]|\\[\s\S])*"|\n|&&|\|\||[()[\]{},;.!<>=+*-]|\b(?:if|then|else|has|like|in|is)\b/g;
const opening = new Set(['(', '[', '{']);
const closing = new Set([')', ']', '}']);

/** What stands between two brackets; a comma or semicolon begins a new segment. */
interface Group {
  operators: number;
  /** Of `a.b.c` in the operand being read, and the most of any operand before. */
  members: number;
  membersMax: number;
  /** The deepest group inside the segment, and the deepest segment. */
  inner: number;
  deepest: number;
}

const newGroup = (): Group => ({ operators: 0, members: 0, membersMax: 0, inner: 0, deepest: 0 });

function closeSegment(group: Group): number {
  const depth = group.operators + Math.max(group.members, group.membersMax) + group.inner;
  group.deepest = Math.max(group.deepest, depth);
  Object.assign(group, { operators: 0, members: 0, membersMax: 0, inner: 0 });
  return group.deepest;
}

/** How deeply JSON is nested. */
export function jsonDepth(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Object.values(value).reduce((deepest: number, child) => Math.max(deepest, jsonDepth(child)), 0);
}
