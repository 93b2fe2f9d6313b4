/**
 * Where a server's time went: self time by function, from V8's CPU profiles as `run.ts --profile FOLDER` writes them.
 * usage: node bench/profile.ts FILE.cpuprofile [LINES]
 */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';

const profileShape = z.object({
  nodes: z.array(
    z.object({
      id: z.number(),
      callFrame: z.object({ functionName: z.string(), url: z.string(), lineNumber: z.number() }),
      children: z.array(z.number()).default([]),
    }),
  ),
  samples: z.array(z.number()),
  timeDeltas: z.array(z.number()),
});

export type Profile = z.infer<typeof profileShape>;
/** A function and where it is from. */
export type Frame = string;

export const readProfile = (text: string): Profile => profileShape.parse(JSON.parse(text));

export interface SelfTime {
  readonly name: string;
  readonly seconds: number;
  /** Of the busy time: all samples but the idle ones. */
  readonly share: number;
  /** The same with what it calls, counted once where it recurs. */
  readonly totalShare: number;
}

/** Functions by self time, the longest first. */
export function selfTimes(text: string): SelfTime[] {
  const { nodes, samples, timeDeltas } = readProfile(text);
  const spent = new Map<number, number>();
  samples.forEach((id, at) => {
    spent.set(id, (spent.get(id) ?? 0) + timeDeltas[at]! / 1e6);
  });
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const self = new Map<string, number>();
  const total = new Map<string, number>();
  // A pair of visits for each node, the second one after its children, without recursing as deep as the profile.
  const stack = nodes.slice(0, 1).map(({ id }) => ({ id, path: new Set<string>() }));
  for (let visit = stack.pop(); visit !== undefined; visit = stack.pop()) {
    const { callFrame, children } = byId.get(visit.id)!;
    const name = frameOf(callFrame);
    const seconds = spent.get(visit.id) ?? 0;
    self.set(name, (self.get(name) ?? 0) + seconds);
    const path = new Set(visit.path).add(name);
    if (seconds > 0) for (const caller of path) total.set(caller, (total.get(caller) ?? 0) + seconds);
    for (const id of children) stack.push({ id, path });
  }
  const busy = [...self].reduce((sum, [name, seconds]) => sum + (name === '(idle)' ? 0 : seconds), 0);
  return [...self]
    .filter(([name]) => name !== '(idle)' && name !== '(root)')
    .map(([name, seconds]) => ({ name, seconds, share: seconds / busy, totalShare: (total.get(name) ?? 0) / busy }))
    .sort((a, b) => b.seconds - a.seconds);
}

export function frameOf({ functionName, url, lineNumber }: Profile['nodes'][number]['callFrame']): Frame {
  const name = functionName === '' ? '(anonymous)' : functionName;
  const place = url.replace(/^.*\/(?=src\/|node_modules\/)/, '');
  return place === '' ? name : `${name} ${place}:${lineNumber + 1}`;
}

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`.padStart(7);

if (import.meta.main) {
  const [file, lines = '30'] = process.argv.slice(2);
  if (file === undefined) throw new Error('usage: profile.ts FILE.cpuprofile [LINES]');
  console.log('   self    total  seconds');
  for (const { name, seconds, share, totalShare } of selfTimes(await readFile(file, 'utf8')).slice(0, Number(lines))) {
    console.log(`${percent(share)}  ${percent(totalShare)}  ${seconds.toFixed(2).padStart(7)}  ${name}`);
  }
}
