import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isServiceError } from '../../../src/core/errors.ts';
import { isIpcFile } from '../../../src/scan/arrow/ipc-file.ts';
import { openIpcFile, openIpcStream } from '../../../src/scan/arrow/ipc-read.ts';
import { type IpcOptions, writeIpcStream } from '../../../src/scan/arrow/ipc-write.ts';
import { collect } from './collect.ts';
import { comparePairs } from './pyarrow-compare.ts';

const corpus = fileURLToPath(new URL('../../corpus/arrow-testing/data/arrow-ipc-stream/integration/', import.meta.url));

/** What the reader says it cannot do, by the part of the file's name that tells. */
const unsupported = new Map([
  ['interval', /interval type/],
  ['union', /union type/],
]);

const files = readdirSync(corpus, { recursive: true, encoding: 'utf8' }).filter((name) =>
  /\.(stream|arrow_file)$/.test(name),
);

async function recode(bytes: Uint8Array, options: IpcOptions): Promise<Buffer> {
  const { schema, batches } = isIpcFile(bytes) ? openIpcFile(bytes) : await openIpcStream(bytes);
  return Buffer.concat(await collect(writeIpcStream(schema, batches, options)));
}

test('the golden files of Arrow, little- and big-endian, read the same as in pyarrow', async (context) => {
  assert.equal(files.length, 88);
  const folder = mkdtempSync(join(tmpdir(), 'headrace-golden-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const pairs: [string, string][] = [];
  const refused: string[] = [];
  for (const [at, name] of files.entries()) {
    const reason = [...unsupported].find(([part]) => name.includes(`generated_${part}`))?.[1];
    const bytes = readFileSync(join(corpus, name));
    if (reason !== undefined) {
      await assert.rejects(
        recode(bytes, { compression: 'none', dictionaries: true }),
        (error) => isServiceError(error, 'UNSUPPORTED_FEATURE') && reason.test(error.message),
        name,
      );
      refused.push(name);
      continue;
    }
    const options = { compression: (['none', 'lz4', 'zstd'] as const)[at % 3]!, dictionaries: at % 2 === 0 };
    const out = join(folder, `${at}.arrows`);
    writeFileSync(out, await recode(bytes, options));
    pairs.push([join(corpus, name), out]);
  }
  assert.equal(refused.length, 8);
  const differences = await comparePairs(pairs);
  assert.deepEqual(
    differences.flatMap((difference, at) => (difference === null ? [] : [`${pairs[at]![0]}: ${difference}`])),
    [],
  );
});
