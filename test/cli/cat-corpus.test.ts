import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const launcher = join(import.meta.dirname, '../../bin/headrace');
const corpus = join(import.meta.dirname, '../corpus');
const folders: readonly (readonly [string, string])[] = [
  ['parquet-testing/bad_data', 'parquet'],
  ['arrow-testing/data/parquet/fuzzing', 'parquet'],
  ['arrow-testing/data/arrow-ipc-stream', 'arrow'],
  ['arrow-testing/data/arrow-ipc-file', 'arrow'],
  ['arrow-testing/data/avro', 'avro'],
];
const atOnce = 2;
const timeoutMs = 20_000;
const residentBytesMax = 1 << 30;
const sampleMs = 20;

interface Outcome {
  readonly file: string;
  readonly code: number | null;
  readonly signal: string | null;
  readonly residentBytes: number;
  readonly stderr: string;
}

/** Each file in a process of its own, so that a crash or a hang is that file's alone. */
function catFile(file: string, format: string): Promise<Outcome> {
  const nowhere = openSync('/dev/null', 'w');
  const child = spawn(launcher, ['cat', '--json', '--format', format, join(corpus, file)], {
    stdio: ['ignore', nowhere, 'pipe'],
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  });
  closeSync(nowhere);
  let residentBytes = 0;
  const sampler = setInterval(() => {
    residentBytes = Math.max(residentBytes, peakBytes(child.pid!));
    if (residentBytes > residentBytesMax) child.kill('SIGKILL');
  }, sampleMs);
  let stderr = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  return new Promise((resolve) => {
    child.once('close', (code, signal) => {
      clearInterval(sampler);
      resolve({ file, code, signal, residentBytes, stderr });
    });
  });
}

/** The kernel's own high-water mark where it keeps one. */
function peakBytes(pid: number): number {
  try {
    return 1024 * Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

function problemOf({ code, signal, residentBytes, stderr }: Outcome): string | null {
  if (residentBytes > residentBytesMax) return `took ${residentBytes} bytes of memory`;
  if (signal !== null) return `ended by ${signal}: a crash, or longer than ${timeoutMs} ms`;
  if (code === 0) return stderr === '' ? null : `succeeded with words on standard error: ${stderr}`;
  if (code !== 3) return `exit status ${code}: ${stderr}`;
  const { error } = JSON.parse(stderr) as { error: { code: string; message: string } };
  return ['CORRUPT_FILE', 'UNSUPPORTED_FEATURE', 'LIMIT_EXCEEDED'].includes(error.code)
    ? null
    : `${error.code}: ${error.message}`;
}

test('no hostile file crashes, hangs or swells the reader: each is read or refused with a reason', async (context) => {
  const files = folders.flatMap(([folder, format]) =>
    readdirSync(join(corpus, folder), { withFileTypes: true })
      .filter((entry) => entry.isFile() && !/\.(md|txt)$/.test(entry.name))
      .map((entry) => [join(folder, entry.name), format] as const),
  );
  assert.ok(files.length >= 160, `${files.length} files`);
  const problems: string[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    for (let file = files[next++]; file !== undefined; file = files[next++]) {
      const problem = problemOf(await catFile(...file));
      if (problem !== null) problems.push(`${file[0]}: ${problem}`);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  context.diagnostic(`${files.length} files`);
  assert.deepEqual(problems, []);
});
