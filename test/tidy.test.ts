import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';

const linesMax = 400;
/** What each folder may import besides itself: docs/architecture.md shows the same as a picture. */
const allowedImports: Record<string, readonly string[]> = {
  core: [],
  storage: ['core'],
  catalog: ['core', 'storage'],
  auth: ['core', 'storage'],
  scan: ['core', 'storage', 'catalog'],
  write: ['core', 'storage', 'catalog', 'scan'],
  server: ['core', 'storage', 'catalog', 'auth', 'scan', 'write'],
  cli: ['core', 'storage', 'catalog', 'auth', 'scan', 'write', 'server'],
};
/** Parts of the server that never import each other. */
const serverParts = ['flight', 'data-plane', 'rest', 'jobs'];

const sources = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => join('src', file));
const importsOf = new Map(sources.map((file) => [file, localImports(file)]));

function localImports(file: string): string[] {
  const specifiers = readFileSync(file, 'utf8').matchAll(
    /^(?:import|export)\b[^'"]*?from '(\.[^']+)'|import\('(\.[^']+)'\)/gm,
  );
  return [...specifiers].map((match) => normalize(join(dirname(file), match[1] ?? match[2]!)));
}

const moduleOf = (file: string): string => file.split('/')[1]!;
const serverPartOf = (file: string): string | undefined =>
  serverParts.find((part) => file.startsWith(`src/server/${part}/`));

test('every import goes in an allowed direction', () => {
  const wrong = [...importsOf].flatMap(([file, imports]) =>
    imports
      .filter((target) => {
        const [from, to] = [moduleOf(file), moduleOf(target)];
        return from !== to && !allowedImports[from]?.includes(to);
      })
      .map((target) => `${file} imports ${target}`),
  );
  assert.deepEqual(wrong, []);
});

test('the parts of the server do not import each other', () => {
  const wrong = [...importsOf].flatMap(([file, imports]) =>
    imports
      .filter((target) => {
        const [from, to] = [serverPartOf(file), serverPartOf(target)];
        return from !== undefined && to !== undefined && from !== to;
      })
      .map((target) => `${file} imports ${target}`),
  );
  assert.deepEqual(wrong, []);
});

test('no import cycles', () => {
  const state = new Map<string, 'open' | 'done'>();
  const cycles: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    if (state.get(file) === 'done') return;
    if (state.get(file) === 'open') {
      cycles.push([...path.slice(path.indexOf(file)), file].join(' → '));
      return;
    }
    state.set(file, 'open');
    for (const target of importsOf.get(file) ?? []) visit(target, [...path, file]);
    state.set(file, 'done');
  };
  for (const file of sources) visit(file, []);
  assert.deepEqual(cycles, []);
});

test(`no source file is longer than ${linesMax} lines`, () => {
  const long = sources.filter((file) => readFileSync(file, 'utf8').split('\n').length - 1 > linesMax);
  assert.deepEqual(long, []);
});

test('no source file is called utils, helpers or misc, and none leaves work behind', () => {
  assert.deepEqual(
    sources.filter((file) => /(^|\/)(utils?|helpers?|misc)(\/|\.ts$)/.test(file)),
    [],
  );
  assert.deepEqual(
    sources.filter((file) => /\b(TODO|FIXME|XXX)\b/.test(readFileSync(file, 'utf8'))),
    [],
  );
});
