import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { loadPolicies } from '../src/auth/policy/load.ts';
import { errorTable } from '../src/core/errors.ts';
import { parseFilter } from '../src/core/expression/parse.ts';
import { defaultLimits } from '../src/core/limits.ts';
import { loadConfig } from '../src/server/config.ts';
import { parseScanRequest } from '../src/server/streams/requests.ts';

const grpcNames = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
];

/** The cells of every table row of a document. */
function rows(file: string): string[][] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim().replaceAll('`', '')),
    );
}

test('docs/errors.md lists every error code with its gRPC status, HTTP status and retry class', () => {
  const documented = rows('docs/errors.md').map(([code, grpc, http, retry]) => [code, grpc, http, retry]);
  const actual = Object.entries(errorTable).map(([code, row]) => [code, grpcNames[row.grpc], `${row.http}`, row.retry]);
  assert.deepEqual(documented.toSorted(), actual.toSorted());
});

test('docs/limits.md lists every limit with its default', () => {
  const documented = rows('docs/limits.md').map(([name, value]) => [name, value]);
  const actual = Object.entries(defaultLimits).map(([name, value]) => [name, value.toLocaleString('en')]);
  assert.deepEqual(documented.toSorted(), actual.toSorted());
});

test('every link between the documents leads somewhere', () => {
  const documents = [
    'README.md',
    'CHANGELOG.md',
    ...readdirSync('docs', { recursive: true, encoding: 'utf8' }).map((file) => join('docs', file)),
  ];
  const broken = documents
    .filter((file) => file.endsWith('.md'))
    .flatMap((file) =>
      [...readFileSync(file, 'utf8').matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)]
        .map((match) => join(dirname(file), match[1]!))
        .filter((target) => !existsSync(target))
        .map((target) => `${file} → ${target}`),
    );
  assert.deepEqual(broken, []);
});

/** Code blocks of one language in the README and the guides. */
function snippets(language: string): { readonly file: string; readonly text: string }[] {
  return ['README.md', ...readdirSync('docs/guides').map((file) => join('docs/guides', file))].flatMap((file) =>
    [...readFileSync(file, 'utf8').matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(
      (match) => ({
        file,
        text: match[1]!,
      }),
    ),
  );
}

test('every Cedar snippet is a policy set that Headrace loads', () => {
  const found = snippets('cedar');
  assert.ok(found.length >= 2);
  for (const { file, text } of found) {
    assert.doesNotThrow(() => loadPolicies([{ name: 'snippet.cedar', text }]), `${file}: ${text}`);
  }
});

test('every JSON snippet is a scan request that Headrace reads', () => {
  const found = snippets('json');
  assert.ok(found.length >= 1);
  for (const { text } of found) {
    const request = parseScanRequest(new TextEncoder().encode(text), defaultLimits);
    if (request.filter?.kind === 'text') parseFilter(request.filter.text, defaultLimits);
  }
});

test('every YAML snippet is a configuration that Headrace reads', () => {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-docs-'));
  for (const { text } of snippets('yaml')) {
    const file = join(folder, 'headrace.yaml');
    writeFileSync(file, text);
    assert.doesNotThrow(() => loadConfig({ file, env: {}, flags: {} }), text);
  }
  rmSync(folder, { recursive: true });
});

test('every command that the documents show exists', () => {
  const commands = new Set(readdirSync('src/cli/commands').map((file) => file.replace(/\.ts$/, '')));
  const unknown = snippets('sh')
    .flatMap(({ text }) => [...text.matchAll(/bin\/headrace ([a-z-]+)/g)].map((match) => match[1]!))
    .filter((command) => !commands.has(command));
  assert.deepEqual(unknown, []);
});
