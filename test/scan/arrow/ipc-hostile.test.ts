import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { isServiceError, type ServiceError } from '../../../src/core/errors.ts';
import { defaultLimits } from '../../../src/core/limits.ts';
import type { Batch, Column } from '../../../src/scan/arrow/column.ts';
import { isIpcFile } from '../../../src/scan/arrow/ipc-file.ts';
import { openIpcFile, openIpcStream } from '../../../src/scan/arrow/ipc-read.ts';
import { writeIpcStream } from '../../../src/scan/arrow/ipc-write.ts';
import { testSeed } from '../../support/seed.ts';
import { collect } from './collect.ts';
import { comparePairs } from './pyarrow-compare.ts';
import { writeSamples } from './pyarrow-samples.ts';

const corpus = fileURLToPath(new URL('../../corpus/arrow-testing/data/', import.meta.url));
const reader = fileURLToPath(new URL('read-files.ts', import.meta.url));

interface Outcome {
  readonly kind: 'start' | 'end';
  readonly path: string;
  readonly outcome: 'read' | 'refused' | 'crashed';
  readonly code?: string;
  readonly message?: string;
  readonly maxRssKb: number;
}

/** Reads files in one child process with little memory; what it had not finished in time counts as hung. */
async function readInChild(paths: readonly string[], timeoutMs: number): Promise<Outcome[]> {
  const child = spawn(process.execPath, ['--max-old-space-size=256', reader, ...paths], {
    stdio: ['ignore', 'pipe', 'pipe'],
    signal: AbortSignal.timeout(timeoutMs),
  });
  let out = '';
  let errors = '';
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString('utf8');
  });
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString('utf8');
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  child.on('error', () => resolve());
  child.on('close', () => resolve());
  await promise;
  const lines = out
    .split('\n')
    .filter((line) => line.endsWith('}'))
    .map((line) => JSON.parse(line) as Outcome);
  const ended = lines.filter((line) => line.kind === 'end');
  assert.equal(ended.length, paths.length, `${lines.at(-1)?.path} was not finished: ${errors.slice(-500)}`);
  return ended;
}

test('files that crashed other readers are refused clearly, or read as pyarrow reads them, within bounded memory', async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-fuzz-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const paths = ['arrow-ipc-stream', 'arrow-ipc-file'].flatMap((kind) =>
    readdirSync(join(corpus, kind), { withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.name.startsWith('README'))
      .map((entry) => {
        const copy = join(folder, `${kind}-${entry.name}`);
        copyFileSync(join(corpus, kind, entry.name), copy);
        return copy;
      }),
  );
  assert.equal(paths.length, 78);
  const outcomes = await readInChild(paths, 60_000);
  assert.deepEqual(
    outcomes.filter(({ outcome }) => outcome === 'crashed'),
    [],
  );
  assert.ok(Math.max(...outcomes.map(({ maxRssKb }) => maxRssKb)) < 512 << 10, 'more than 512 MB in use');
  const allowed = ['INVALID_REQUEST', 'CORRUPT_FILE', 'UNSUPPORTED_FEATURE', 'LIMIT_EXCEEDED'];
  for (const { outcome, code, path } of outcomes) if (outcome === 'refused') assert.ok(allowed.includes(code!), path);
  const read = outcomes.filter(({ outcome }) => outcome === 'read').map(({ path }) => [path, `${path}.out`] as const);
  const differences = await comparePairs(read);
  assert.deepEqual(
    differences.filter((difference) => difference !== null),
    [],
  );
});

/** Everything of a stream or file that can be read, or the error that reading ends with. */
async function readAll(bytes: Uint8Array): Promise<Batch[] | ServiceError> {
  try {
    const { batches } = isIpcFile(bytes) ? openIpcFile(bytes) : await openIpcStream(bytes);
    return await collect(batches);
  } catch (error) {
    if (isServiceError(error)) return error;
    throw error;
  }
}

async function samples(count: number, seed: number): Promise<Buffer[]> {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-hostile-'));
  try {
    return (await writeSamples(folder, count, seed)).map((path) => readFileSync(path));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('a stream or file cut at any byte is an error or a whole number of batches', async () => {
  const seed = testSeed;
  const chosen = (await samples(12, seed)).filter((bytes) => bytes.length < 8_000).slice(0, 4);
  assert.ok(chosen.length > 0);
  for (const bytes of chosen) {
    const whole = await readAll(bytes);
    assert.ok(Array.isArray(whole), `seed ${seed}: ${whole}`);
    for (let length = 0; length < bytes.length; length++) {
      const cut = await readAll(bytes.subarray(0, length));
      if (Array.isArray(cut))
        assert.ok(cut.length <= whole.length && !isIpcFile(bytes), `seed ${seed}, ${length} bytes`);
    }
  }
});

/** Reads every buffer of a column to its end, so that a broken invariant throws here. */
function walk(column: Column): void {
  assert.ok(column.nullCount >= 0 && column.nullCount <= column.length);
  if (column.validity !== null) assert.ok(column.validity.length * 8 >= column.length);
  if (column.kind === 'fixed') {
    assert.equal(column.values.length, column.length * column.width);
    assert.equal(column.values.byteOffset % 8, 0);
  } else if (column.kind === 'bytes' || column.kind === 'list') {
    assert.equal(column.offsets.length, column.length + 1);
    assert.equal(column.offsets[0], 0);
    for (let row = 0; row < column.length; row++) assert.ok(column.offsets[row]! <= column.offsets[row + 1]!);
    const held = column.kind === 'bytes' ? column.values.length : column.child.length;
    assert.ok(column.offsets[column.length]! <= held);
    if (column.kind === 'list') walk(column.child);
  } else if (column.kind === 'struct') {
    for (const child of column.children) {
      assert.equal(child.length, column.length);
      walk(child);
    }
  } else if (column.kind === 'dictionary') {
    walk(column.dictionary);
    for (let row = 0; row < column.length; row++) {
      const valid: boolean = column.validity === null || ((column.validity[row >> 3]! >> (row & 7)) & 1) === 1;
      assert.ok(
        valid
          ? column.indices[row]! < column.dictionary.length && column.indices[row]! >= 0
          : column.indices[row] === 0,
      );
    }
  } else if (column.kind === 'fixed-list') {
    assert.equal(column.child.length, column.length * column.size);
    walk(column.child);
  }
}

test('bytes changed at random are an error, or columns that keep every invariant and can be written again', async () => {
  const originals = await samples(40, 7);
  const change = fc.tuple(fc.nat(), fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 127, 128, 255)));
  await fc.assert(
    fc.asyncProperty(
      fc.nat(originals.length - 1),
      fc.array(change, { minLength: 1, maxLength: 4 }),
      async (at, changes) => {
        const bytes = new Uint8Array(originals[at]!);
        for (const [place, value] of changes) bytes[place % bytes.length] = value;
        const batches = await readAll(bytes);
        if (!Array.isArray(batches)) return;
        for (const batch of batches) for (const column of batch.columns) walk(column);
        if (batches.length > 0) await collect(writeIpcStream(batches[0]!.schema, batches));
      },
    ),
    { numRuns: 1500 },
  );
});

const int64 = { kind: 'int', bits: 64, signed: true } as const;

function zeros(rows: number): Batch {
  const field = { name: 'n', type: int64, nullable: false, metadata: new Map<string, string>() };
  const column: Column = {
    kind: 'fixed',
    type: int64,
    length: rows,
    nullCount: 0,
    validity: null,
    width: 8,
    values: new Uint8Array(rows * 8),
  };
  return { schema: { fields: [field], metadata: new Map() }, rows, columns: [column] };
}

for (const compression of ['zstd', 'lz4'] as const) {
  test(`a small ${compression} message that unfolds beyond the limit is refused before it is unfolded`, async () => {
    const batch = zeros(1 << 20);
    const bytes = Buffer.concat(
      await collect(writeIpcStream(batch.schema, [batch], { compression, dictionaries: false })),
    );
    assert.ok(bytes.length < 64 << 10, `${bytes.length} bytes`);
    const limits = { ...defaultLimits, decompressedBytesMax: 1 << 20 };
    const { batches } = await openIpcStream(bytes, limits);
    await assert.rejects(collect(batches), (error) => isServiceError(error, 'LIMIT_EXCEEDED'));
    const { batches: allowed } = await openIpcStream(bytes);
    assert.equal((await collect(allowed))[0]!.rows, batch.rows);
  });

  test(`a ${compression} buffer that claims more or fewer bytes than it holds is refused`, async () => {
    const batch = zeros(4096);
    const bytes = Buffer.concat(
      await collect(writeIpcStream(batch.schema, [batch], { compression, dictionaries: false })),
    );
    const prefix = Buffer.alloc(8);
    prefix.writeBigInt64LE(BigInt(4096 * 8));
    const at = bytes.indexOf(prefix);
    assert.ok(at > 0);
    for (const claim of [4096n * 8n - 8n, 4096n * 8n + 8n, 0n, -2n, 1n << 40n, (1n << 63n) - 1n]) {
      bytes.writeBigInt64LE(claim, at);
      const { batches } = await openIpcStream(bytes);
      await assert.rejects(
        collect(batches),
        (error) => isServiceError(error, 'INVALID_REQUEST') || isServiceError(error, 'LIMIT_EXCEEDED'),
        `${claim}`,
      );
    }
  });
}

test('a schema deeper or wider than the limits is refused', async () => {
  let type: Batch['schema']['fields'][number]['type'] = int64;
  for (let depth = 0; depth < 70; depth++) {
    type = { kind: 'list', element: { name: 'element', type, nullable: true, metadata: new Map() } };
  }
  const field = { name: 'deep', type, nullable: true, metadata: new Map<string, string>() };
  const deep = Buffer.concat(await collect(writeIpcStream({ fields: [field], metadata: new Map() }, [])));
  await assert.rejects(openIpcStream(deep), /nested deeper than 64 levels/);
  const fields = Array.from({ length: 10_001 }, (_, at) => ({ ...field, name: `c${at}`, type: int64 }));
  const wide = Buffer.concat(await collect(writeIpcStream({ fields, metadata: new Map() }, [])));
  await assert.rejects(openIpcStream(wide), /more than 10000 fields/);
});
