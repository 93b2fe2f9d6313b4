import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { pythonPath, runPython } from '../support/python.ts';
import { openWorkspace, type Workspace } from './workspace.ts';

const launcher = join(import.meta.dirname, '../../bin/headrace');
let workspace: Workspace;
before(async () => {
  workspace = await openWorkspace();
  // Uncompressed and incompressible, so that a changed byte in a row group changes what the others say of it.
  const script = `
import pyarrow as pa, pyarrow.parquet as pq, pyarrow.ipc as ipc
table = pa.table({'id': pa.array(range(4000), pa.int64()), 'name': [None if i % 7 == 0 else f'name {i}' for i in range(4000)]})
pq.write_table(table, input + '/t.parquet', row_group_size=1000)
with ipc.new_file(input + '/t.arrow', table.schema) as f: f.write_table(table, 1000)
with ipc.new_stream(input + '/t.arrows', table.schema) as f: f.write_table(table, 1000)
meta = pq.ParquetFile(input + '/t.parquet').metadata
output = [meta.row_group(3).column(0).dictionary_page_offset or meta.row_group(3).column(0).data_page_offset]
`;
  [lastRowGroup] = (await runPython(script, workspace.folder)) as [number];
});
after(() => workspace[Symbol.asyncDispose]());
let lastRowGroup: number;

interface CatResult {
  readonly code: number;
  readonly bytes: Buffer;
  readonly stderr: string;
}

async function cat(...args: readonly string[]): Promise<CatResult> {
  try {
    const { stdout, stderr } = await promisify(execFile)(launcher, ['cat', ...args], {
      encoding: 'buffer',
      maxBuffer: 64 << 20,
    });
    return { code: 0, bytes: stdout, stderr: stderr.toString() };
  } catch (error) {
    const failed = error as { readonly code: number; readonly stdout: Buffer; readonly stderr: Buffer };
    return { code: failed.code, bytes: failed.stdout, stderr: failed.stderr.toString() };
  }
}

test('a file of each format becomes the Arrow stream that pyarrow reads from it', async () => {
  for (const name of ['t.parquet', 't.arrow', 't.arrows']) {
    const { code, bytes, stderr } = await cat(join(workspace.folder, name));
    assert.equal(code, 0, stderr);
    await writeFile(join(workspace.folder, 'out.arrows'), bytes);
    const script = `
import pyarrow as pa, pyarrow.parquet as pq
ours = pa.ipc.open_stream(input + '/out.arrows').read_all()
theirs = pq.read_table(input + '/t.parquet')
output = ours.cast(theirs.schema).equals(theirs)
`;
    assert.equal(await runPython(script, workspace.folder), true, name);
  }
  const avro = join('test/corpus/arrow-testing/data/avro/alltypes_plain.snappy.avro');
  const { code, bytes } = await cat(avro);
  assert.deepEqual(
    [code, bytes.subarray(0, 4).toString('hex'), bytes.subarray(-8).toString('hex')],
    [0, 'ffffffff', 'ffffffff00000000'],
  );
});

test('a stream that an error cuts ends within a message, so that no reader takes it for whole', async () => {
  const path = join(workspace.folder, 'cut.parquet');
  const file = await readFile(join(workspace.folder, 't.parquet'));
  file.fill(0xff, lastRowGroup, lastRowGroup + 64);
  await writeFile(path, file);
  const { code, bytes, stderr } = await cat(path, '--json');
  assert.equal(code, 3, stderr);
  assert.equal(JSON.parse(stderr).error.code, 'CORRUPT_FILE');
  assert.ok(bytes.length > 10_000, `${bytes.length}`);
  await writeFile(join(workspace.folder, 'cut.arrows'), bytes);
  const script = `
import pyarrow as pa
reader = pa.ipc.open_stream(input + '/cut.arrows')
rows = 0
try:
    for batch in reader:
        rows += batch.num_rows
    output = 'complete'
except pa.ArrowInvalid:
    output = rows
`;
  assert.equal(await runPython(script, workspace.folder), 3000);
});

test('files that are none are refused', async () => {
  const text = await workspace.file('notes.txt', 'hello');
  const empty = await workspace.file('empty', '');
  const [unknown, nothing, absent, forced] = await Promise.all([
    cat(text),
    cat(empty),
    cat(`${text}.none`),
    cat(text, '--format', 'parquet'),
  ]);
  assert.deepEqual([unknown.code, nothing.code, absent.code, forced.code], [3, 3, 3, 3]);
  assert.match(unknown.stderr, /INVALID_REQUEST: .*notes\.txt: .*--format/);
  assert.match(absent.stderr, /NOT_FOUND: .*there is no such file/);
  assert.match(forced.stderr, /CORRUPT_FILE/);
  assert.equal((await cat(text, '--format', 'orc')).code, 2);
});

test('a reader that stops early ends the command quietly', async () => {
  const child = spawn(launcher, ['cat', join(workspace.folder, 't.parquet')], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (text: Buffer) => {
    stderr += text;
  });
  child.stdout.once('data', () => child.stdout.destroy());
  const [code, signal] = await once(child, 'close');
  assert.ok(code === 0 || code === 1, `${code} ${signal}`);
  assert.equal(stderr, '');
});

test('a terminal is spared the bytes', async () => {
  const script = 'import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))';
  const child = spawn(pythonPath(), ['-c', script, launcher, 'cat', join(workspace.folder, 't.parquet')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let shown = '';
  child.stdout.on('data', (text: Buffer) => {
    shown += text;
  });
  const [code] = await once(child, 'close');
  assert.equal(code, 2);
  assert.match(shown, /not for a terminal: redirect it/);
});
