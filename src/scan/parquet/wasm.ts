import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { compileFunction } from 'node:vm';
import type * as parquetWasm from 'parquet-wasm/node';
import { isServiceError, ServiceError } from '../../core/errors.ts';

export type ParquetWasm = typeof parquetWasm;

const wasmPageBytes = 64 * 1024;
/** WebAssembly memory never shrinks, so an instance that has grown beyond this is replaced. */
const retainedBytesMax = 256 * 1024 * 1024;

interface Instance {
  readonly api: ParquetWasm;
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly memoryBytesMax: number;
}

/** What a failure of the work means: a damaged file where one is read, our own fault where one is written. */
export interface WasmFailure {
  readonly code: 'CORRUPT_FILE' | 'INTERNAL';
  readonly message: string;
}

let current: Instance | null = null;
let source: { readonly path: string; readonly glue: string; readonly binary: Uint8Array } | null = null;

/**
 * Runs one synchronous piece of work on the decoder's instance, which must free what it makes. An instance that trapped, or that
 * has grown large, is dropped with its memory and the next call starts a fresh one. Whatever the module throws becomes
 * `failure`, or LIMIT_EXCEEDED where its memory ran out at `memoryBytesMax`.
 */
export function withParquetWasm<Result>(
  memoryBytesMax: number,
  failure: WasmFailure,
  work: (api: ParquetWasm) => Result,
): Result {
  if (current === null || current.memoryBytesMax !== memoryBytesMax) current = instantiate(memoryBytesMax);
  const instance = current;
  try {
    return work(instance.api);
  } catch (cause) {
    if (isServiceError(cause)) throw cause;
    if (cause instanceof Error && (cause.name === 'RuntimeError' || cause.name === 'RangeError')) {
      current = null;
      // A failed allocation aborts the module as any other trap does; only the memory's size tells them apart.
      if (instance.memory.buffer.byteLength > memoryBytesMax / 2) {
        throw new ServiceError(
          'LIMIT_EXCEEDED',
          `${failure.message}: it needs more than ${memoryBytesMax} bytes of memory`,
          {
            cause,
          },
        );
      }
    }
    throw new ServiceError(failure.code, failure.message, { cause });
  } finally {
    if (instance.memory.buffer.byteLength > retainedBytesMax && current === instance) current = null;
  }
}

/**
 * The package's Node build keeps one instance for the life of the process and lets its memory grow to 4 GiB. Compiling its glue
 * ourselves gives each instance a life of its own and a memory with a maximum, which bounds every decompression bomb.
 */
function instantiate(memoryBytesMax: number): Instance {
  source ??= readSource();
  const binary = withMemoryMax(source.binary, Math.floor(memoryBytesMax / wasmPageBytes));
  const nodeRequire = createRequire(import.meta.url);
  const requireShim = (name: string): unknown => (name === 'fs' ? { readFileSync: () => binary } : nodeRequire(name));
  const module: { exports: unknown } = { exports: {} };
  const glue = compileFunction(source.glue, ['exports', 'require', 'module', '__filename', '__dirname'], {
    filename: source.path,
  });
  glue(module.exports, requireShim, module, source.path, dirname(source.path));
  const api = module.exports as ParquetWasm;
  return { api, memory: api.wasmMemory() as Instance['memory'], memoryBytesMax };
}

function readSource(): NonNullable<typeof source> {
  const nodeRequire = createRequire(import.meta.url);
  const path = nodeRequire.resolve('parquet-wasm/node');
  return {
    path,
    glue: readFileSync(path, 'utf8'),
    binary: readFileSync(nodeRequire.resolve('parquet-wasm/node/parquet_wasm_bg.wasm')),
  };
}

const memorySectionId = 5;

/** The module with a maximum on its one memory (WebAssembly core specification, binary format, memory section). */
function withMemoryMax(binary: Uint8Array, pagesMax: number): Uint8Array {
  let at = 8;
  while (at < binary.length) {
    const [size, body] = readLeb(binary, at + 1);
    if (binary[at] === memorySectionId) {
      const [count, flagsAt] = readLeb(binary, body);
      const [pagesMin] = readLeb(binary, flagsAt + 1);
      if (count !== 1) break;
      const section = [...leb(1), 1, ...leb(pagesMin), ...leb(Math.max(pagesMin, pagesMax))];
      const head = [memorySectionId, ...leb(section.length), ...section];
      return Buffer.concat([binary.subarray(0, at), Uint8Array.from(head), binary.subarray(body + size)]);
    }
    at = body + size;
  }
  throw new ServiceError('INTERNAL', 'the Parquet decoder has no memory section to bound');
}

function readLeb(bytes: Uint8Array, start: number): [value: number, end: number] {
  let value = 0;
  let at = start;
  for (let scale = 1; ; scale *= 128) {
    const byte = bytes[at++]!;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return [value, at];
  }
}

function leb(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  return [...bytes, rest];
}
