/**
 * A flame graph of V8's CPU profiles as `run.ts --profile FOLDER` writes them, those of all threads in one picture: where the time of a
 * subject went, from what is called at the bottom to what runs at the top; idle time is left out.
 * usage: node bench/flame.ts OUT.svg TITLE FILE.cpuprofile…
 */
import { readFile, writeFile } from 'node:fs/promises';
import { type Frame, frameOf, readProfile } from './profile.ts';

export interface Flame {
  readonly name: string;
  /** Seconds, of what it calls included. */
  seconds: number;
  readonly calls: Map<string, Flame>;
}

const [width, rowHeight, titleHeight, charWidth] = [1200, 16, 40, 6.2];
/** Of the whole: what is narrower is neither to be seen nor to be read. */
const shareMin = 0.004;
const depthMax = 48;

/** Adds the stacks of one profile. */
export function addProfile(root: Flame, text: string): void {
  const { nodes, samples, timeDeltas } = readProfile(text);
  const spent = new Map<number, number>();
  samples.forEach((id, at) => {
    spent.set(id, (spent.get(id) ?? 0) + timeDeltas[at]! / 1e6);
  });
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const pending: { readonly id: number; readonly path: readonly Flame[] }[] = [{ id: nodes[0]!.id, path: [] }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { callFrame, children } = byId.get(next.id)!;
    const name = frameOf(callFrame);
    if (name === '(idle)') continue;
    const path = next.path.length === 0 ? [root] : [...next.path, calledBy(next.path.at(-1)!, name)];
    const seconds = spent.get(next.id) ?? 0;
    // V8's own marks of the program and of garbage collection are leaves like others.
    for (const flame of path) flame.seconds += seconds;
    for (const id of children) pending.push({ id, path });
  }
}

export const newFlame = (name: Frame): Flame => ({ name, seconds: 0, calls: new Map() });

function calledBy(caller: Flame, name: Frame): Flame {
  const known = caller.calls.get(name) ?? newFlame(name);
  caller.calls.set(name, known);
  return known;
}

/** The picture, as SVG text of fixed width. */
export function flameSvg(root: Flame, title: string): string {
  const boxes: string[] = [];
  let depth = 0;
  const draw = (flame: Flame, x: number, level: number): void => {
    const share = flame.seconds / root.seconds;
    if (share < shareMin || level > depthMax) return;
    depth = Math.max(depth, level);
    boxes.push(box(flame, x, level, share));
    let at = x;
    for (const call of [...flame.calls.values()].sort((a, b) => b.seconds - a.seconds)) {
      draw(call, at, level + 1);
      at += (call.seconds / root.seconds) * width;
    }
  };
  draw(root, 0, 0);
  const height = titleHeight + (depth + 1) * rowHeight;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="monospace" font-size="11">`,
    `<rect width="100%" height="100%" fill="#fff"/>`,
    `<text x="6" y="16" font-size="13">${escaped(title)}</text>`,
    `<text x="6" y="32">${root.seconds.toFixed(1)} s of busy time of all threads; hover for shares</text>`,
    ...boxes,
    '</svg>\n',
  ].join('\n');
}

function box({ name, seconds }: Flame, x: number, level: number, share: number): string {
  const wide = share * width;
  const y = titleHeight + level * rowHeight;
  const room = Math.floor((wide - 4) / charWidth);
  const label = room < 3 ? '' : name.length <= room ? name : `${name.slice(0, room - 1)}…`;
  const rect = `<rect x="${x.toFixed(1)}" y="${y}" width="${wide.toFixed(1)}" height="${rowHeight - 1}" fill="${colour(name)}"/>`;
  const tip = `<title>${escaped(name)} ${(share * 100).toFixed(1)} %, ${seconds.toFixed(2)} s</title>`;
  const text = label === '' ? '' : `<text x="${(x + 2).toFixed(1)}" y="${y + 11}">${escaped(label)}</text>`;
  return `<g>${tip}${rect}${text}</g>`;
}

/** Ours warm, libraries blue, the runtime grey. */
function colour(name: string): string {
  if (name.includes('node_modules/')) return '#9ecae1';
  if (name.includes('src/')) return '#fdae6b';
  return name.startsWith('(') ? '#d9d9d9' : '#c7c7e8';
}

const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const escaped = (text: string): string => text.replace(/[&<>"]/g, (found) => escapes[found]!);

if (import.meta.main) {
  const [out, title, ...files] = process.argv.slice(2);
  if (out === undefined || title === undefined || files.length === 0) {
    throw new Error('usage: flame.ts OUT.svg TITLE FILE.cpuprofile…');
  }
  const root = newFlame('all threads');
  for (const file of files) addProfile(root, await readFile(file, 'utf8'));
  await writeFile(out, flameSvg(root, title));
}
