import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { defaultLimits } from '../../../src/core/limits.ts';
import { canDecode } from '../../../src/scan/parquet/decode/leaf-reader.ts';
import { walkPages } from '../../../src/scan/parquet/pages.ts';
import { catFiles, compareWithPyarrow, temporaryFolder } from './compare.ts';
import { leafSources } from './decode/leaf-sources.ts';

const corpus = fileURLToPath(new URL('../../corpus/parquet-testing/', import.meta.url));
const folders = ['data', 'shredded_variant'];

/** What of the good files is not read, and why: whatever else is refused is a fault of ours. */
const unread: readonly (readonly [reason: string, code: string, files: RegExp])[] = [
  ['encrypted', 'UNSUPPORTED_FEATURE', /\.parquet\.encrypted$/],
  [
    'a page whose checksum does not match, on purpose',
    'CORRUPT_FILE',
    /^rle-dict-uncompressed-corrupt-checksum\.parquet$/,
  ],
  [
    'a footer that counts fewer bytes than the pages have, as parquet-mr wrote before 1.2.9',
    'CORRUPT_FILE',
    /^nation\.dict-malformed\.parquet$/,
  ],
];

async function goodFiles(): Promise<string[]> {
  const paths: string[] = [];
  for (const folder of folders) {
    for (const entry of await readdir(join(corpus, folder), { withFileTypes: true, recursive: true })) {
      if (entry.isFile() && /\.parquet(\.encrypted)?$/.test(entry.name)) paths.push(join(entry.parentPath, entry.name));
    }
  }
  return paths;
}

test('every good file of the corpus reads as pyarrow reads it, but for those that are listed', async (context) => {
  await using folder = await temporaryFolder();
  const results = await catFiles(await goodFiles(), folder.path, 60_000);
  const refused = results.filter(({ stream }) => stream === undefined);
  for (const { path, code, message } of refused) {
    const listed = unread.some(([, expected, files]) => files.test(basename(path)) && expected === code);
    assert.ok(listed, `${basename(path)}: ${code} ${message}`);
  }
  const read = results.filter(({ stream }) => stream !== undefined);
  const differences = await compareWithPyarrow(read.map(({ path, stream }) => ({ path, stream: stream! })));
  const found = differences.flatMap((difference, at) =>
    difference === null || difference.startsWith('pyarrow refuses it')
      ? []
      : [`${basename(read[at]!.path)}: ${difference}`],
  );
  assert.deepEqual(found, []);
  context.diagnostic(`${read.length} of ${results.length} files read`);
});

test('no column of the corpus is left to parquet-wasm', async () => {
  for (const path of await goodFiles()) {
    if (unread.some(([, , files]) => files.test(basename(path)))) continue;
    for (const { parts, leaf, chunk } of await leafSources(path)) {
      const pages = walkPages(parts, leaf, chunk, defaultLimits.decompressedBytesMax);
      assert.ok(canDecode(leaf, pages), `${basename(path)}: ${leaf.path.join('.')}`);
    }
  }
});
