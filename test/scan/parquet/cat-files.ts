/**
 * Reads Parquet files named on standard input (a JSON array) one after another in this process, as `cat` does. Writes each file's
 * Arrow stream into the folder given as argument, and to standard output one JSON array: what came of each file.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { ServiceError } from '../../../src/core/errors.ts';
import { defaultLimits } from '../../../src/core/limits.ts';
import { writeIpcStream } from '../../../src/scan/arrow/ipc-write.ts';
import { parquetToBatches } from '../../../src/scan/parquet/cat.ts';
import { openLocalStore } from '../../../src/storage/local.ts';

// Small batches cut row groups, pages and lists in many places.
const limits = { ...defaultLimits, batchRowsDefault: 700 };
const folder = process.argv[2]!;
const files: string[] = JSON.parse(await text(process.stdin));
await using objects = openLocalStore();
const results: object[] = [];
for (const [at, path] of files.entries()) {
  const start = performance.now();
  const outcome = await read(path, join(folder, `${at}.arrows`));
  results.push({ path, ...outcome, ms: performance.now() - start, rssBytes: process.memoryUsage.rss() });
}
process.stdout.write(JSON.stringify(results));

async function read(path: string, target: string): Promise<object> {
  const { signal } = new AbortController();
  try {
    const location = pathToFileURL(path).href;
    const { schema, batches } = await parquetToBatches({ objects, location, limits, signal });
    const parts: Uint8Array[] = [];
    for await (const part of writeIpcStream(schema, batches)) parts.push(part);
    writeFileSync(target, Buffer.concat(parts));
    return { stream: target };
  } catch (error) {
    if (error instanceof ServiceError) return { code: error.code, message: error.message };
    return { crash: String(error instanceof Error ? error.stack : error) };
  }
}
