import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isIpcFile } from '../../../src/scan/arrow/ipc-file.ts';
import { openIpcFile, openIpcStream } from '../../../src/scan/arrow/ipc-read.ts';
import { type IpcOptions, writeIpcStream } from '../../../src/scan/arrow/ipc-write.ts';
import { testSeed } from '../../support/seed.ts';
import { collect } from './collect.ts';
import { comparePairs } from './pyarrow-compare.ts';
import { writeSamples } from './pyarrow-samples.ts';

const seed = testSeed;
const count = Number(process.env.HEADRACE_TEST_SAMPLES ?? 150);

/** A Buffer that starts at an odd byte of its ArrayBuffer, as network code hands them over. */
function misaligned(bytes: Uint8Array): Uint8Array {
  const pool = Buffer.alloc(bytes.length + 3);
  pool.set(bytes, 3);
  return pool.subarray(3);
}

function* chunked(bytes: Uint8Array, size: number): Iterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

test(`tables that pyarrow wrote come back the same in pyarrow after we read and wrote them (seed ${seed})`, async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-ipc-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const pairs: [string, string][] = [];
  for (const [at, path] of (await writeSamples(folder, count, seed)).entries()) {
    const bytes = at % 3 === 0 ? misaligned(readFileSync(path)) : readFileSync(path);
    const open = () =>
      isIpcFile(bytes) ? openIpcFile(bytes) : openIpcStream(at % 5 === 0 ? chunked(bytes, 100) : bytes);
    const options: IpcOptions = {
      compression: (['none', 'lz4', 'zstd'] as const)[at % 3]!,
      dictionaries: at % 2 === 0,
    };
    try {
      const { schema, batches } = await open();
      const out = `${path}.out`;
      writeFileSync(out, Buffer.concat(await collect(writeIpcStream(schema, batches, options))));
      pairs.push([path, out]);
    } catch (error) {
      throw new Error(`${path}: ${error}`, { cause: error });
    }
  }
  assert.ok(pairs.length > count / 2, `only ${pairs.length} samples`);
  const differences = await comparePairs(pairs);
  assert.deepEqual(
    differences.flatMap((difference, at) => (difference === null ? [] : [`${pairs[at]![0]}: ${difference}`])),
    [],
  );
});
