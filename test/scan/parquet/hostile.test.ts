import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { errorTable } from '../../../src/core/errors.ts';
import { catFiles, compareWithPyarrow, temporaryFolder } from './compare.ts';

const corpus = fileURLToPath(new URL('../../corpus/', import.meta.url));
const folders = [
  'parquet-testing/data',
  'parquet-testing/bad_data',
  'parquet-testing/shredded_variant',
  'arrow-testing/data/parquet/fuzzing',
];
/** The largest file has a few megabytes; the decoder itself takes about 60. */
const rssBytesMax = 600 << 20;
const fileMsMax = 5_000;

test('every file of the corpora is read as pyarrow reads it or refused with a clear error', async (t) => {
  assert.ok(existsSync(corpus));
  await using folder = await temporaryFolder();
  const paths: string[] = [];
  for (const name of folders) {
    for (const entry of await readdir(join(corpus, name), { withFileTypes: true, recursive: true })) {
      const isParquet = entry.name.includes('parquet') && !/\.(md|txt|json|bin)$/.test(entry.name);
      if (entry.isFile() && isParquet) paths.push(join(entry.parentPath, entry.name));
    }
  }
  assert.ok(paths.length > 150, `${paths.length} files`);
  const results = await catFiles(paths, folder.path, 60_000);
  for (const result of results) {
    assert.equal(result.crash, undefined, `${result.path}: ${result.crash}`);
    assert.ok(result.rssBytes < rssBytesMax, `${result.path}: ${result.rssBytes} bytes`);
    assert.ok(result.ms < fileMsMax, `${result.path}: ${result.ms} ms`);
    if (result.code === undefined) continue;
    assert.ok(
      result.code in errorTable && result.code !== 'INTERNAL',
      `${result.path}: ${result.code} ${result.message}`,
    );
    assert.ok(!result.message!.includes('/'), 'a message never holds a path');
  }
  const read = results.filter((result) => result.stream !== undefined);
  const differences = await compareWithPyarrow(read.map(({ path, stream }) => ({ path, stream: stream! })));
  const differing = differences.flatMap((difference, at) =>
    difference === null ? [] : [`${read[at]!.path.slice(corpus.length)}: ${difference}`],
  );
  // What pyarrow refuses may be read by us; what both read must be the same.
  assert.deepEqual(
    differing.filter((difference) => !difference.includes('pyarrow refuses it')),
    [],
  );
  t.diagnostic(`${read.length} of ${paths.length} files read`);
  assert.ok(read.length > 85, `only ${read.length} files read`);
});
