import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ParquetWasm, withParquetWasm } from '../../../src/scan/parquet/wasm.ts';

const failure = { code: 'CORRUPT_FILE', message: 'the test fails' } as const;
const memoryBytesMax = 1 << 30;
const run = <Result>(work: (api: ParquetWasm) => Result): Result => withParquetWasm(memoryBytesMax, failure, work);
interface Memory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}
const memoryOf = (api: ParquetWasm): Memory => api.wasmMemory() as unknown as Memory;
const wasmPageBytes = 65_536;

test('an instance is kept from call to call', () => {
  assert.equal(
    run((api) => api),
    run((api) => api),
  );
});

test('an instance that trapped is replaced', () => {
  const trapped = run((api) => api);
  const trap = (): never => {
    throw Object.assign(new Error('unreachable'), { name: 'RuntimeError' });
  };
  assert.throws(() => run(trap), { code: 'CORRUPT_FILE' });
  assert.notEqual(
    run((api) => api),
    trapped,
  );
});

test('an instance whose memory grew above 256 MB is replaced by one that is small', () => {
  const grown = run((api) => {
    memoryOf(api).grow((300 << 20) / wasmPageBytes);
    return api;
  });
  const next = run((api) => api);
  assert.notEqual(next, grown);
  assert.ok(memoryOf(next).buffer.byteLength < 64 << 20);
});

test('an error that the module reports itself leaves the instance in use', () => {
  const before = run((api) => api);
  assert.throws(() => run((api) => api.readParquet(Uint8Array.of(1, 2, 3))), { code: 'CORRUPT_FILE' });
  assert.equal(
    run((api) => api),
    before,
  );
});
