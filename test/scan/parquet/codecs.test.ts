import assert from 'node:assert/strict';
import { buffer } from 'node:stream/consumers';
import { before, test } from 'node:test';
import { constants, createZstdCompress, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { ServiceError } from '../../../src/core/errors.ts';
import { decompress } from '../../../src/scan/parquet/decompress.ts';
import type { Codec } from '../../../src/scan/parquet/metadata.ts';
import { decodeSnappyPrefix } from '../../../src/scan/parquet/snappy.ts';
import { runPython } from '../../support/python.ts';

/** Texts that repeat near and far, numbers, noise, runs, nothing; each compressed by Arrow's own codecs. */
const compress = `
import base64, os, random
import numpy as np, pyarrow as pa
random.seed(9)
words = [b'sea', b'lake', b'river ', b'headrace', b'a longer word that repeats ', b'x']
inputs = [b'', b'a', b'ab' * 3000, b'abc' * 2000, b'abcdefg' * 999, bytes(70000), os.urandom(100000),
          b''.join(random.choice(words) for _ in range(20000)), np.arange(20000).tobytes(), np.arange(30000, dtype=np.int32).tobytes(),
          b'start' + os.urandom(70000) + b'start' * 50, np.random.default_rng(1).normal(size=9000).astype('float32').tobytes()]
inputs += [bytes(random.choice(b'ab') for _ in range(random.randint(1, 300))) for _ in range(60)]
text = lambda b: base64.b64encode(b).decode()
output = []
for plain in inputs:
    for codec, name in [('snappy', 'snappy'), ('lz4_raw', 'lz4-raw'), ('zstd', 'zstd'), ('gzip', 'gzip'), ('brotli', 'brotli')]:
        output.append({'codec': name, 'plain': text(plain), 'packed': text(pa.Codec(codec).compress(plain, asbytes=True))})
`;

interface Sample {
  readonly codec: Codec;
  readonly plain: Buffer;
  readonly packed: Buffer;
}
let samples: Sample[];
before(async () => {
  const found = (await runPython(compress, null)) as { codec: Codec; plain: string; packed: string }[];
  const bytes = (text: string): Buffer => Buffer.from(text, 'base64');
  samples = found.map(({ codec, plain, packed }) => ({ codec, plain: bytes(plain), packed: bytes(packed) }));
});

test('what Arrow compresses comes out the same', () => {
  for (const { codec, plain, packed } of samples) {
    assert.ok(plain.equals(decompress(codec, packed, plain.length)), `${codec}: ${plain.length} bytes`);
  }
});

test('more or fewer bytes than declared are refused, and so are bytes behind the end', () => {
  for (const { codec, plain, packed } of samples) {
    for (const bytes of [plain.length + 1, plain.length - 1, plain.length * 2 + 9]) {
      if (bytes >= 0) assert.throws(() => decompress(codec, packed, bytes), { code: 'CORRUPT_FILE' }, codec);
    }
  }
});

test('changed bytes give as many bytes as declared or CORRUPT_FILE, within the buffers', () => {
  const edits = fc.array(fc.record({ at: fc.nat(), byte: fc.nat({ max: 255 }) }), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(fc.nat(), edits, (which, changes) => {
      const { codec, plain, packed } = samples[which % samples.length]!;
      const changed = Uint8Array.from(packed);
      if (changed.length === 0) return;
      for (const { at, byte } of changes) changed[at % changed.length] = byte;
      try {
        assert.equal(decompress(codec, changed, plain.length).length, plain.length);
      } catch (error) {
        assert.ok(error instanceof ServiceError && error.code === 'CORRUPT_FILE', String(error));
      }
    }),
    { numRuns: 3000 },
  );
  for (const { codec, plain, packed } of samples) assert.ok(plain.equals(decompress(codec, packed, plain.length)));
});

test('the beginning of a snappy block can be had alone', () => {
  for (const { codec, plain, packed } of samples) {
    if (codec !== 'snappy') continue;
    for (const bytes of [0, 1, 5, 77, plain.length >> 1, plain.length]) {
      if (bytes <= plain.length) assert.ok(plain.subarray(0, bytes).equals(decodeSnappyPrefix(packed, bytes)));
    }
    assert.throws(() => decodeSnappyPrefix(packed, plain.length + 1), RangeError);
  }
});

test('zstd frames are read whether or not they tell their size, with windows of any width, checksums and several in a row', async () => {
  const plain = samples.find((sample) => sample.plain.length > 90_000)!.plain;
  const stream = createZstdCompress();
  stream.end(plain);
  const streamed = await buffer(stream);
  const withParams = (params: Record<number, number>): Buffer => zstdCompressSync(plain, { params });
  const wide = withParams({
    [constants.ZSTD_c_windowLog]: 25,
    [constants.ZSTD_c_contentSizeFlag]: 0,
  });
  const checked = withParams({ [constants.ZSTD_c_checksumFlag]: 1 });
  for (const frame of [streamed, wide, checked]) assert.ok(plain.equals(decompress('zstd', frame, plain.length)));
  const twice = Buffer.concat([streamed, checked]);
  assert.ok(Buffer.concat([plain, plain]).equals(decompress('zstd', twice, 2 * plain.length)));
  checked[checked.length - 1]! ^= 1;
  for (const damaged of [checked, streamed.subarray(0, streamed.length - 3), wide.subarray(0, 20)]) {
    assert.throws(() => decompress('zstd', damaged, plain.length), { code: 'CORRUPT_FILE' });
  }
});
