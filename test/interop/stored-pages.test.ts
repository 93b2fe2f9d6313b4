/**
 * A stream compressed with zstd carries pages as they lie in the file: whatever reads Arrow must read it. pyarrow, polars, arrow-go,
 * arrow-rs, Arrow Java and apache-arrow for JavaScript each read one stream of a table that Headrace wrote, and agree with what was
 * written.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { crc32, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import {
  CompressionType,
  compressionRegistry,
  type Data,
  type RecordBatch,
  RecordBatchReader,
  Type,
} from 'apache-arrow';
import { frameMessage } from '../../src/scan/arrow/ipc-write.ts';
import { decodeFlightData } from '../../src/server/streams/wire/flight-data.ts';
import { type Lake, openLake } from '../e2e/lake.ts';
import { openRawFlight } from '../e2e/raw-flight.ts';

const run = promisify(execFile);
const readers = join(import.meta.dirname, 'stream-readers');
const build = join(import.meta.dirname, '../../build/interop');
const buildTimeoutMs = 10 * 60_000;
const rows = 65_000;

interface Seen {
  readonly rows: number;
  readonly columns: Readonly<Record<string, number>>;
}

let lake: Lake;
let folder: string;
let stream: string;
let expected: Seen;

before(async () => {
  lake = await openLake();
  folder = await mkdtemp(join(tmpdir(), 'headrace-stored-'));
  stream = join(folder, 'stream.arrows');
  const ticket = await lake.run<string>(
    `
import random, zlib, struct
import pyarrow.flight as fl
random.seed(5)
n = input["rows"]
written = pa.table({
    "id": pa.array(range(n), pa.int64()),
    "at": pa.array([1_700_000_000_000_000 + 1_000 * at for at in range(n)], pa.timestamp("us", tz="UTC")),
    "day": pa.array([at // 100 for at in range(n)], pa.date32()),
    "score": pa.array([random.random() for at in range(n)], pa.float32()),
    "price": pa.array([None if at % 11 == 0 else at / 8 for at in range(n)], pa.float64()),
    "label": pa.array([at % 2 for at in range(n)], pa.int32()),
    "name": pa.array([None if at % 7 == 0 else f"näme {at % 900}" for at in range(n)]),
})
client.put("bronze.stored", written, mode="create")
def add(sum, column):
    "A null is a 0; a value is a 1, the length of a text as four bytes, and its bytes."
    is_text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    code = {"int64": "q", "timestamp[us, tz=UTC]": "q", "date32[day]": "i", "float": "f", "double": "d", "int32": "i"}.get(str(column.type))
    if not is_text and code in ("q", "i"):
        column = column.cast(pa.int64() if code == "q" else pa.int32())
    for value in column.to_pylist():
        if value is None: sum = zlib.crc32(b"\\0", sum); continue
        packed = struct.pack("<I", len(value.encode())) + value.encode() if is_text else struct.pack("<" + code, value)
        sum = zlib.crc32(b"\\1" + packed, sum)
    return sum
def seen(table):
    return {"rows": table.num_rows, "columns": {name: add(0, table[name]) for name in table.column_names}}
flight = fl.connect(f"grpc://127.0.0.1:{input['flight']}")
options = fl.FlightCallOptions(headers=[(b"authorization", f"Bearer {input['token']}".encode())])
request = json.dumps({"table": "bronze.stored", "compression": "zstd", "ordered": True}).encode()
info = flight.get_flight_info(fl.FlightDescriptor.for_command(request), options)
output = info.endpoints[0].ticket.serialize().hex()
`,
    { rows, flight: lake.server.flight, token: lake.token },
  );
  expected = await lake.run<Seen>('output = seen(written)');
  using raw = openRawFlight(lake.server.data, lake.token);
  const { status, messages } = await raw.call('DoGet', [Buffer.from(ticket, 'hex')]);
  assert.equal(status, 'OK');
  const parts = messages.flatMap((message) => {
    const { header, body } = decodeFlightData(message, message.length);
    return frameMessage({ header, body: [body], bodyBytes: body.length });
  });
  await writeFile(stream, Buffer.concat(parts));
});

after(async () => {
  await lake?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

test('the stream holds bytes of the file as they are there', async () => {
  const data = join(lake.server.dataDir, 'warehouse');
  const names = (await readdir(data, { recursive: true })).filter((name) => name.endsWith('.parquet'));
  const files = await Promise.all(names.map((name) => readFile(join(data, name))));
  const sent = await readFile(stream);
  let stored = 0;
  const magic = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);
  for (const file of files) {
    for (let at = file.indexOf(magic); at >= 0; at = file.indexOf(magic, at + 4)) {
      if (sent.includes(file.subarray(at, at + 200))) stored++;
    }
  }
  assert.ok(stored >= 6, `${stored} frames of the file are in the stream`);
});

test('pyarrow reads it', async () => {
  assert.deepEqual(await lake.run('output = seen(pa.ipc.open_stream(input).read_all())', stream), expected);
});

test('polars reads it', async () => {
  const source = `
import polars as pl
table = pl.read_ipc_stream(input).to_arrow()
output = seen(table.cast(pa.schema([f.with_type(pa.string()) if pa.types.is_large_string(f.type) or "view" in str(f.type) else f for f in table.schema])))`;
  assert.deepEqual(await lake.run(source, stream), expected);
});

test('arrow-go reads it', async () => {
  const { stdout } = await run('go', ['run', '-buildvcs=false', './readstream', stream], {
    cwd: join(import.meta.dirname, 'go'),
    timeout: buildTimeoutMs,
  });
  assert.deepEqual(JSON.parse(stdout), expected);
});

test('arrow-rs reads it', async () => {
  const { stdout } = await run(
    'cargo',
    ['run', '--quiet', '--release', '--locked', '--target-dir', join(build, 'cargo'), '--', stream],
    { cwd: join(readers, 'rust'), timeout: buildTimeoutMs },
  );
  assert.deepEqual(JSON.parse(stdout), expected);
});

test('Arrow Java reads it', async () => {
  const classpath = join(build, 'java/classpath');
  const goals = ['compile', 'dependency:build-classpath', `-Dmdep.outputFile=${classpath}`];
  await run('mvn', ['--quiet', '--batch-mode', ...goals], { cwd: join(readers, 'java'), timeout: buildTimeoutMs });
  const path = `${join(build, 'java/classes')}:${(await readFile(classpath, 'utf8')).trim()}`;
  const { stdout } = await run('java', [
    '--add-opens=java.base/java.nio=ALL-UNNAMED',
    '--class-path',
    path,
    'ReadStream',
    stream,
  ]);
  assert.deepEqual(JSON.parse(stdout), expected);
});

test('apache-arrow for JavaScript reads it', async () => {
  compressionRegistry.set(CompressionType.ZSTD, {
    decode: (data: Uint8Array) => zstdDecompressSync(data),
    encode: (data: Uint8Array) => zstdCompressSync(data),
  });
  const sums: Record<string, number> = {};
  let count = 0;
  for (const batch of RecordBatchReader.from(await readFile(stream)) as Iterable<RecordBatch>) {
    count += batch.numRows;
    batch.schema.fields.forEach((field, at) => {
      sums[field.name] = addColumn(sums[field.name] ?? 0, batch.data.children[at]!, batch.numRows);
    });
  }
  assert.deepEqual({ rows: count, columns: sums }, expected);
});

function addColumn(start: number, data: Data, length: number): number {
  let sum = start;
  const bytes = new Uint8Array(data.values.buffer, data.values.byteOffset, data.values.byteLength);
  const isText = data.type.typeId === Type.Utf8;
  const width = isText ? 0 : bytes.length / length;
  for (let row = 0; row < length; row++) {
    if (!data.getValid(row)) {
      sum = crc32(Buffer.from([0]), sum);
      continue;
    }
    sum = crc32(Buffer.from([1]), sum);
    if (isText) {
      const text = bytes.subarray(data.valueOffsets[row], data.valueOffsets[row + 1]);
      const size = Buffer.alloc(4);
      size.writeUInt32LE(text.length);
      sum = crc32(text, crc32(size, sum));
    } else sum = crc32(bytes.subarray(row * width, (row + 1) * width), sum);
  }
  return sum;
}
