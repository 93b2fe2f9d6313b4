import { readFileSync, writeFileSync } from 'node:fs';
import { isServiceError } from '../../../src/core/errors.ts';
import { isIpcFile } from '../../../src/scan/arrow/ipc-file.ts';
import { openIpcFile, openIpcStream } from '../../../src/scan/arrow/ipc-read.ts';
import { writeIpcStream } from '../../../src/scan/arrow/ipc-write.ts';

/**
 * A process of its own for hostile files: reads each file named in the arguments, writes it again beside it as `.out`, and prints one JSON
 * line per file before (`start`) and after (`end`), so that the parent knows which file a crash or a hang belongs to.
 */
for (const path of process.argv.slice(2)) {
  console.log(JSON.stringify({ kind: 'start', path }));
  console.log(
    JSON.stringify({ kind: 'end', path, ...(await readOne(path)), maxRssKb: process.resourceUsage().maxRSS }),
  );
}

async function readOne(path: string): Promise<object> {
  const bytes = readFileSync(path);
  try {
    const { schema, batches } = isIpcFile(bytes) ? openIpcFile(bytes) : await openIpcStream(bytes);
    const parts: Uint8Array[] = [];
    for await (const part of writeIpcStream(schema, batches, { compression: 'none', dictionaries: true }))
      parts.push(part);
    writeFileSync(`${path}.out`, Buffer.concat(parts));
    return { outcome: 'read' };
  } catch (error) {
    if (isServiceError(error)) return { outcome: 'refused', code: error.code, message: error.message };
    return { outcome: 'crashed', message: error instanceof Error ? error.stack : String(error) };
  }
}
