import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { DataFile } from '../../src/catalog/manifest/types.ts';
import type { PartitionSpec } from '../../src/catalog/partition/types.ts';
import { ServiceError } from '../../src/core/errors.ts';
import { fieldId } from '../../src/core/ids.ts';
import { defaultLimits, type Limits } from '../../src/core/limits.ts';
import type { Batch } from '../../src/scan/arrow/column.ts';
import { openParquet } from '../../src/scan/parquet/footer.ts';
import { projectFile } from '../../src/scan/parquet/project.ts';
import { readRowGroup } from '../../src/scan/parquet/read.ts';
import { openLocalStore } from '../../src/storage/local.ts';
import type { ObjectStore, ObjectWriter } from '../../src/storage/object-store.ts';
import { createFanOut, type FanOut } from '../../src/write/fan-out.ts';
import { temporaryFolder } from '../scan/parquet/compare.ts';
import { valuesOf } from '../scan/parquet/values.ts';
import { batchOf, sampleRows, schema } from '../scan/small-table.ts';

const { signal } = new AbortController();
const objects = openLocalStore();
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let tables = 0;
before(async () => {
  folder = await temporaryFolder();
});
after(async () => {
  await objects[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

const byBucket = (buckets: number): PartitionSpec => ({
  specId: 3,
  fields: [{ sourceId: fieldId(1), fieldId: 1000, name: 'id_bucket', transform: { kind: 'bucket', buckets } }],
});
const byRegion: PartitionSpec = {
  specId: 1,
  fields: [{ sourceId: fieldId(2), fieldId: 1000, name: 'region', transform: { kind: 'identity' } }],
};
const unpartitioned: PartitionSpec = { specId: 0, fields: [] };

/** A store that counts the writers that are open, and fails where it is told to. */
function watched(failAt = Number.POSITIVE_INFINITY): ObjectStore & { readonly open: { now: number; most: number } } {
  const open = { now: 0, most: 0 };
  let writes = 0;
  const watch = (writer: ObjectWriter): ObjectWriter => {
    let ended = false;
    const end = (): void => {
      if (!ended) open.now--;
      ended = true;
    };
    return {
      async write(bytes) {
        if (++writes >= failAt) throw new ServiceError('UNAVAILABLE', 'the disk is full');
        await writer.write(bytes);
      },
      async commit() {
        end();
        return writer.commit();
      },
      async [Symbol.asyncDispose]() {
        end();
        await writer[Symbol.asyncDispose]();
      },
    };
  };
  return {
    open,
    stat: (...args) => objects.stat(...args),
    read: (...args) => objects.read(...args),
    readAll: (...args) => objects.readAll(...args),
    list: (...args) => objects.list(...args),
    delete: (...args) => objects.delete(...args),
    async create(location, stop) {
      open.most = Math.max(open.most, ++open.now);
      return watch(await objects.create(location, stop));
    },
  };
}

interface Target {
  readonly fanOut: FanOut;
  readonly location: string;
}

function target(spec: PartitionSpec, changed: Partial<Limits> = {}, store: ObjectStore = objects): Target {
  const location = `${pathToFileURL(folder.path).href}/table${tables++}`;
  const limits = { ...defaultLimits, ...changed };
  return {
    location,
    fanOut: createFanOut({ objects: store, location, schema, spec, properties: new Map(), limits, signal }),
  };
}

const batches = (count: number, size: number): Batch[] => {
  const rows = sampleRows(count);
  return Array.from({ length: Math.ceil(count / size) }, (_, at) => batchOf(rows.slice(at * size, (at + 1) * size)));
};

async function write({ fanOut }: Target, of: readonly Batch[]): Promise<DataFile[]> {
  for (const batch of of) await fanOut.write(batch);
  return fanOut.finish();
}

async function idsIn(file: DataFile): Promise<bigint[]> {
  const opened = await openParquet({ objects, location: file.path, limits: defaultLimits, signal });
  const projection = projectFile(opened, schema, schema.fields.slice(0, 1), null);
  const ids: bigint[] = [];
  for (const rowGroup of opened.metadata.rowGroups.keys()) {
    const { columns } = await readRowGroup({ file: opened, projection, rowGroup, signal });
    ids.push(...(valuesOf(columns[0]!) as bigint[]));
  }
  assert.equal(ids.length, file.rows);
  return ids;
}

const inOrder = (ids: readonly bigint[]): bigint[] => ids.toSorted((a, b) => Number(a - b));

async function filesBelow(location: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { location: file } of objects.list(`${location}/`, signal)) found.push(file);
  return found;
}

test('each partition is a file of its own, under its name, with its values, and no row is lost', async () => {
  const made = target(byRegion);
  const files = await write(made, batches(1_000, 130));
  assert.deepEqual(files.map((file) => file.partition[0]).toSorted(), ['asia', 'eu', 'us', null].toSorted());
  for (const file of files) {
    const region = file.partition[0];
    assert.ok(file.path.startsWith(`${made.location}/data/region=${region}/`), file.path);
    assert.deepEqual([file.specId, file.format, file.content], [1, 'parquet', 'data']);
    assert.equal(file.bytes, (await objects.stat(file.path, signal)).bytes);
    const ids = await idsIn(file);
    assert.deepEqual(ids, inOrder(ids), 'rows stay in the order in which they came');
  }
  const all = (await Promise.all(files.map(idsIn))).flat();
  assert.deepEqual(
    inOrder(all),
    sampleRows(1_000).map(({ id }) => id),
  );
  assert.equal((await filesBelow(made.location)).length, files.length);
});

test('no more partitions are open at once than allowed; what is closed early costs files, not rows', async () => {
  const store = watched();
  const files = await write(target(byBucket(40), { openPartitionsMax: 5 }, store), batches(1_000, 100));
  assert.ok(store.open.most <= 5, `${store.open.most} open`);
  assert.equal(store.open.now, 0);
  assert.ok(files.length > 40);
  assert.equal(new Set(files.map(({ path }) => path)).size, files.length);
  assert.deepEqual(
    inOrder((await Promise.all(files.map(idsIn))).flat()),
    sampleRows(1_000).map(({ id }) => id),
  );
});

test('rows do not wait in memory beyond the bound: what is more is written as a row group', async () => {
  const bounded = await write(target(byBucket(4), { putBytesMax: 4_096 }), batches(4_000, 200));
  const unbounded = await write(target(byBucket(4)), batches(4_000, 200));
  assert.deepEqual(
    unbounded.map(({ splitOffsets }) => splitOffsets?.length),
    [1, 1, 1, 1],
  );
  const groups = bounded.reduce((sum, { splitOffsets }) => sum + splitOffsets!.length, 0);
  // 20 batches of about 8 KB each come in, of which 4 KB may stay.
  assert.ok(groups >= 20, `${groups} row groups`);
  assert.deepEqual(
    bounded.map(({ rows }) => rows),
    unbounded.map(({ rows }) => rows),
  );
});

test('a file that has reached its target is closed and the next one begins', async () => {
  const fileBytesTarget = 8_192;
  const files = await write(target(unpartitioned, { fileBytesTarget }), batches(8_000, 100));
  assert.ok(files.length > 3, `${files.length} files`);
  for (const file of files.slice(0, -1)) {
    assert.ok(file.bytes >= fileBytesTarget, `${file.bytes} bytes`);
    assert.ok(file.bytes < fileBytesTarget * 4, `${file.bytes} bytes`);
  }
  assert.deepEqual(
    (await Promise.all(files.map(idsIn))).flat(),
    sampleRows(8_000).map(({ id }) => id),
  );
});

test('no rows make no file', async () => {
  const made = target(byRegion);
  assert.deepEqual(await write(made, [batchOf([])]), []);
  assert.deepEqual(await filesBelow(made.location), []);
});

test('abort leaves nothing, neither finished files nor begun ones', async () => {
  const store = watched();
  const made = target(byBucket(20), { openPartitionsMax: 4, putBytesMax: 0 }, store);
  for (const batch of batches(600, 100)) await made.fanOut.write(batch);
  assert.ok((await filesBelow(made.location)).length > 0, 'some files were finished before');
  await made.fanOut.abort();
  assert.deepEqual(await filesBelow(made.location), []);
  assert.equal(store.open.now, 0);
});

test('abort after finish removes the files: a commit that was refused leaves nothing', async () => {
  const made = target(byRegion);
  await write(made, batches(100, 50));
  await made.fanOut.abort();
  assert.deepEqual(await filesBelow(made.location), []);
});

test('a store that fails at any write leaves nothing behind once it is aborted', async () => {
  for (const failAt of [1, 2, 5, 9, 14]) {
    const store = watched(failAt);
    const made = target(byBucket(6), { openPartitionsMax: 3, putBytesMax: 0 }, store);
    await assert.rejects(write(made, batches(400, 100)), { code: 'UNAVAILABLE' });
    await made.fanOut.abort();
    assert.deepEqual(await filesBelow(made.location), [], `write ${failAt}`);
    assert.equal(store.open.now, 0, `write ${failAt}`);
  }
});
