import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { errorTable } from '../src/core/errors.ts';
import { defaultLimits } from '../src/core/limits.ts';

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
  const documents = ['README.md', 'CHANGELOG.md', ...readdirSync('docs', { recursive: true, encoding: 'utf8' }).map((file) => join('docs', file))];
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
