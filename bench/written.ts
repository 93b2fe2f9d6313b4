import { globSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadConfig } from '../src/server/config.ts';
import { openEmbedded } from '../src/server/embedded.ts';
import { python, runChild } from './child.ts';
import { openClient } from './client.ts';
import { namespace } from './contender.ts';
import { filesHash, type Input, prepareArrowFile } from './inputs.ts';
import { startHeadrace } from './server.ts';

const describeTimeoutMs = 600_000;

/** A table as Headrace itself writes it. Disposing it removes it. */
export interface WrittenInput extends AsyncDisposable {
  readonly input: Input;
}

/** The rows of a table, put into Headrace, so that other servers can read what it wrote. */
export async function writeByHeadrace(source: Input): Promise<WrittenInput> {
  await using resources = new AsyncDisposableStack();
  const server = resources.use(await startHeadrace(new Map(), { cache: false }));
  const data = await prepareArrowFile(source);
  const table = 'written';
  {
    await using client = openClient(server);
    await client.put({ data, put: { table: `${namespace}.${table}`, mode: 'create' }, times: 1 });
  }
  const metadata = await metadataLocation(server.dataDir, table);
  const folder = join(fileURLToPath(metadata), '../..');
  const names = globSync('data/**/*.parquet', { cwd: folder }).sort();
  const files = names.map((file) => join(folder, file));
  const described = JSON.parse(
    await runChild(python, [join(import.meta.dirname, 'column_bytes.py'), ...files], describeTimeoutMs),
  ) as Input['columnBytes'];
  const owned = resources.move();
  return {
    input: { ...source, metadata, files, columnBytes: described, sha256: await filesHash(files) },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function metadataLocation(dataDir: string, name: string): Promise<string> {
  await using embedded = await openEmbedded(loadConfig({ env: {}, flags: { dataDir } }));
  const table = await embedded.catalog.loadTable({ namespace: [namespace], name }, new AbortController().signal);
  return table.metadataLocation;
}
