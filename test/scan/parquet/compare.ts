import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { runPython } from '../../support/python.ts';

/** What came of one file: a stream, a ServiceError's code, or a crash. */
export interface CatResult {
  readonly path: string;
  readonly stream?: string;
  readonly code?: string;
  readonly message?: string;
  readonly crash?: string;
  readonly ms: number;
  readonly rssBytes: number;
}

/** A temporary folder that goes away with its owner. */
export async function temporaryFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'headrace-parquet-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** Reads files in one child process; rejects where that dies or overruns `timeoutMs`. */
export async function catFiles(paths: readonly string[], folder: string, timeoutMs: number): Promise<CatResult[]> {
  const script = fileURLToPath(new URL('./cat-files.ts', import.meta.url));
  const child = spawn(process.execPath, [script, folder], {
    stdio: ['pipe', 'pipe', 'inherit'],
    signal: AbortSignal.timeout(timeoutMs),
  });
  const exit = new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve));
  child.stdin.end(JSON.stringify(paths));
  const output = text(child.stdout);
  const code = await exit;
  if (code !== 0) throw new Error(`the reading process ended with ${code}`);
  return JSON.parse(await output) as CatResult[];
}

const compareScript = `
import pyarrow as pa, pyarrow.parquet as pq

def norm(value):
    if isinstance(value, (list, tuple)): return [norm(v) for v in value]
    if isinstance(value, dict): return {k: norm(v) for k, v in value.items()}
    return 'nan' if isinstance(value, float) and value != value else value

def cells(column):
    try: return norm(column.to_pylist())
    except (OverflowError, ValueError):
        # Instants that Python's datetime does not reach.
        if pa.types.is_struct(column.type): return [cells(child) for child in column.flatten()]
        return column.cast(pa.int64()).to_pylist()

def compare(pair):
    try:
        expected = pq.ParquetFile(pair['path']).read()
    except Exception as error:
        return 'pyarrow refuses it: ' + str(error)
    ours = pa.ipc.open_stream(pair['stream']).read_all()
    ours.validate(full=True)
    if ours.num_rows != expected.num_rows: return f'{ours.num_rows} rows, not {expected.num_rows}'
    if ours.column_names != expected.column_names: return f'columns {ours.column_names}'
    for mine, theirs, name in zip(ours.columns, expected.columns, ours.column_names):
        if not pa.types.is_nested(mine.type) and mine.type != theirs.type: return f'{name}: {mine.type}, not {theirs.type}'
        if cells(mine) != cells(theirs): return f'{name}: {str(cells(mine))[:300]}, not {str(cells(theirs))[:300]}'
    return None

output = [compare(pair) for pair in input]
`;

/** Per pair, null where our stream holds what pyarrow reads from the file, else how they differ. */
export async function compareWithPyarrow(
  pairs: readonly { readonly path: string; readonly stream: string }[],
): Promise<(string | null)[]> {
  return (await runPython(compareScript, pairs)) as (string | null)[];
}
