import { readFile } from 'node:fs/promises';

import { pathToFileURL } from 'node:url';
import { defaultLimits } from '../../../../src/core/limits.ts';
import type { LeafSource, RowRange } from '../../../../src/scan/parquet/decode-leaf.ts';
import { openParquet } from '../../../../src/scan/parquet/footer.ts';
import { openLocalStore } from '../../../../src/storage/local.ts';

/** Every leaf column of every row group of a file, its bytes in memory. */
export async function leafSources(path: string): Promise<LeafSource[]> {
  await using objects = openLocalStore();
  const location = pathToFileURL(path).href;
  const { signal } = new AbortController();
  const { metadata } = await openParquet({ objects, location, limits: defaultLimits, signal });
  const bytes = await readFile(path);
  return metadata.rowGroups.flatMap((group) =>
    metadata.schema.leaves.map((leaf): LeafSource => {
      const chunk = group.chunks[leaf.index]!;
      const rows: RowRange = { start: 0, end: group.rows };
      const parts = [bytes.subarray(chunk.range.start, chunk.range.end)];
      return { leaf, chunk, parts, held: rows, pageRows: null, rows, batchRows: group.rows };
    }),
  );
}
