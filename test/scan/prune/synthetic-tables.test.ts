import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { makeSyntheticTable } from '../../../bench/synthetic-manifests.ts';
import type { DataFile } from '../../../src/catalog/manifest/types.ts';
import { parseTableMetadata } from '../../../src/catalog/metadata/read.ts';
import { resolveSnapshot } from '../../../src/catalog/metadata/time-travel.ts';
import type { TableMetadata } from '../../../src/catalog/metadata/types.ts';
import { isLive, manifestTypes, readEntries, readSnapshotManifests } from '../../../src/catalog/snapshot/read.ts';
import { isServiceError } from '../../../src/core/errors.ts';
import { parseFilter } from '../../../src/core/expression/parse.ts';
import { defaultLimits } from '../../../src/core/limits.ts';
import { FileList, unpackFiles, WholeFiles } from '../../../src/scan/file-list.ts';
import { bindFilter } from '../../../src/scan/filter/bind.ts';
import type { BoundFilter } from '../../../src/scan/filter/bound.ts';
import { metricsMayMatch, metricsMustMatch } from '../../../src/scan/prune/metrics.ts';
import { partitionMayMatch, projectToPartition } from '../../../src/scan/prune/partition.ts';
import { type FilePlan, type FilePlanInput, planFiles } from '../../../src/scan/prune/plan-files.ts';
import { openLocalStore } from '../../../src/storage/local.ts';
import { localPath } from '../../../src/storage/locations.ts';
import type { ObjectStore } from '../../../src/storage/object-store.ts';
import { runPython } from '../../support/python.ts';

const filters = [
  "day = '2020-01-05' AND region = 'eu'",
  "day >= '2020-01-05' AND day < '2020-01-07'",
  "region IN ('us', 'sa') AND id < 40000000",
  'id = 31234567',
  'id IN (1, 31234567, 99999999999)',
  "seen_at >= '2020-01-03 12:00:00' AND seen_at < '2020-01-04 00:00:00'",
  'label = 7',
  "name < 'a3'",
  "name LIKE 'a1%' OR name LIKE 'zzz%'",
  'f3 > 3.9 AND f3 < -3.9',
  'f15 > 15.999',
  'f15 < 100 AND id >= 59000000',
];

const { signal } = new AbortController();
const objects = openLocalStore();
let folder: string;
let metadata: TableMetadata;
let files: DataFile[];

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headrace-synthetic-'));
  const table = await makeSyntheticTable({ folder, files: 600, manifests: 12, partitions: 60 });
  metadata = parseTableMetadata(await readFile(localPath(table.metadata), 'utf8'));
  files = [];
  const manifests = await readSnapshotManifests(snapshot(), objects, defaultLimits, signal);
  for (const manifest of manifests) {
    const entries = await readEntries(manifest, metadata, objects, defaultLimits, signal);
    files.push(...entries.filter(isLive).map(({ file }) => file));
  }
});
after(async () => {
  await objects[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const snapshot = () => resolveSnapshot(metadata, { kind: 'main' })!;
const boundOf = (text: string): BoundFilter =>
  bindFilter(parseFilter(text, defaultLimits), metadata.schemas[0]!, () => true);
const plan = (text: string | null, change: Partial<FilePlanInput> = {}): Promise<FilePlan> =>
  planFiles({
    metadata,
    snapshot: snapshot(),
    schema: metadata.schemas[0]!,
    filter: text === null ? null : boundOf(text),
    objects,
    limits: defaultLimits,
    signal,
    ...change,
  });

/** A store of its own, hence without anything kept; `onRead` sees each read of a manifest before it happens. */
const storeWith = (onRead: (location: string) => unknown): ObjectStore =>
  new Proxy(objects, {
    get(target, name: keyof ObjectStore) {
      if (name !== 'read') return target[name].bind(target);
      return async (...args: Parameters<ObjectStore['read']>) => {
        await onRead(args[0]);
        return target.read(...args);
      };
    },
  });
const listed = "day = '2020-01-05'";

test('a plan has the files that their partitions and statistics leave over one by one, in their order', async () => {
  const kept: number[] = [];
  for (const text of filters) {
    const filter = boundOf(text);
    const predicate = projectToPartition(filter, manifestTypes(metadata, 0).spec, metadata.schemas[0]!);
    const expected = files.filter(
      ({ partition, metrics, rows }) =>
        partitionMayMatch(predicate, partition) && metricsMayMatch(filter, metrics, rows),
    );
    const found = await plan(text);
    assert.deepEqual(
      found.files.slice(),
      expected.map(({ path, format, rows, bytes }) => ({ path, format, rows, bytes })),
      text,
    );
    assert.deepEqual([found.filesTotal, found.filesPruned], [files.length, files.length - expected.length]);
    for (const [at, { metrics, rows }] of expected.entries()) {
      assert.equal(found.files.mustMatch(at, filter), metricsMustMatch(filter, metrics, rows), text);
    }
    kept.push(expected.length);
  }
  assert.ok(kept.filter((count) => count > 0 && count < files.length).length > 8, `${kept}`);
});

test('PyIceberg plans the same files', async () => {
  const script = `
from pyiceberg.table import StaticTable
table = StaticTable.from_metadata(input['metadata'])
output = [sorted(task.file.file_path for task in table.scan(row_filter=f).plan_files()) for f in input['filters']]
`;
  const theirs = filters.map((text) => text.replaceAll(' 00:00:00', 'T00:00:00').replaceAll(' 12:', 'T12:'));
  const location = `${metadata.location}/metadata/00001-synthetic.metadata.json`;
  const planned = (await runPython(script, { metadata: location, filters: theirs })) as string[][];
  for (const [at, text] of filters.entries()) {
    const ours = Array.from((await plan(text)).files, ({ path }) => path).sort();
    assert.deepEqual(ours, planned[at], text);
  }
});

test('files are the same asked for one by one, in parts or all, and kept as they are', async () => {
  for (const text of [null, filters[1]!, filters[6]!, filters[3]!]) {
    const { files: found } = await plan(text);
    const all = [...found];
    assert.equal(all.length, found.length);
    assert.deepEqual(found.slice(), all);
    assert.deepEqual(found.slice(3, 77), all.slice(3, 77));
    assert.deepEqual(found.slice(590), all.slice(590));
    assert.deepEqual(
      all.map((_, at) => found.at(at)),
      all,
    );
    assert.equal(found.at(all.length), undefined);
    const runs = all.map(({ rows, bytes }, file) => ({ file, rowGroup: null, startRow: 0, rows, bytes }));
    const whole = new WholeFiles(found);
    assert.deepEqual([...whole], runs);
    assert.deepEqual(whole.slice(5, 50), runs.slice(5, 50));
    assert.equal(whole.at(runs.length), undefined);
    assert.deepEqual([...found.kept().files], all);
  }
});

test('files in columns are the same once they were cloned to another thread, in whole and in parts', async () => {
  for (const text of [null, 'label >= 4']) {
    const { files: found } = await plan(text);
    const many = new FileList(Array.from({ length: 20 }, () => found.segments).flat());
    assert.ok(many.length > 1_500);
    for (const [start, end] of [
      [0, many.length],
      [7, many.length - 3],
    ] as const) {
      const packed = structuredClone(many.pack(start, end));
      assert.equal(packed.kind, 'columns');
      assert.deepEqual([...unpackFiles(packed)], many.slice(start, end));
    }
    const few = structuredClone(found.pack(60, 61));
    assert.equal(few.kind, 'objects');
    assert.deepEqual([...unpackFiles(few)], found.slice(60, 61));
  }
});

test('a plan of few files of many keeps none of the others in memory', async () => {
  const one = (await plan('id = 31234567')).files.kept();
  assert.ok(Array.isArray(one.files) && one.memory < 1_000);
  const { segments } = (await plan(null)).files;
  const sparse = segments.map((segment) => ({ ...segment, picked: Uint32Array.of(3, 5), count: 2 }));
  assert.equal(new FileList(Array.from({ length: 100 }, () => sparse).flat()).pack(0, 2_000).kind, 'objects');
});

test('statistics are read only of the manifests that partitions leave over, and once for each field', async () => {
  const reads: string[] = [];
  const store = storeWith((location) => reads.push(location));
  await plan(null, { objects: store });
  const all = reads.length;
  await plan(listed, { objects: store });
  const more = reads.length - all;
  assert.ok(more > 0 && more < 4, `${more} manifests were read again for the statistics of a day`);
  await plan(`${listed} AND id > 3`, { objects: store });
  const field = reads.length - all - more;
  assert.equal(field, more);
  await plan(`${listed} AND id > 7`, { objects: store });
  await plan(listed, { objects: store });
  assert.equal(reads.length, all + more + field);
});

test('plans at the same time read a manifest once, and one that is cancelled leaves the others alone', async () => {
  const reads: string[] = [];
  const gate = Promise.withResolvers<void>();
  const store = storeWith((location) => {
    reads.push(location);
    return gate.promise;
  });
  const controller = new AbortController();
  const plans = [1, 2, 3].map(() => plan(listed, { objects: store }));
  const cancelled = plan(listed, { objects: store, signal: controller.signal });
  const refused = assert.rejects(cancelled, (error) => isServiceError(error, 'CANCELLED'));
  setTimeout(() => controller.abort(), 20);
  await refused;
  gate.resolve();
  const [first, ...others] = await Promise.all(plans);
  for (const other of others) assert.deepEqual(other.files.slice(), first!.files.slice());
  assert.equal(new Set(reads).size, reads.length);
});

test('a manifest that cannot be read fails every plan that waits for it and none that comes after', async () => {
  let isBroken = true;
  const store = storeWith((location) => {
    if (isBroken && !location.endsWith('snap.avro')) throw new Error('broken');
  });
  const results = await Promise.allSettled([plan(null, { objects: store }), plan(null, { objects: store })]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  isBroken = false;
  assert.equal((await plan(null, { objects: store })).files.length, files.length);
});

test('what is kept of manifests is bounded in bytes: without room they are read again', async () => {
  let reads = 0;
  const store = storeWith(() => reads++);
  const limits = { ...defaultLimits, manifestCacheBytesMax: 24_000 };
  await plan(null, { objects: store, limits });
  const once = reads;
  const again = await plan(null, { objects: store, limits });
  assert.ok(reads > once, 'the negative control: twelve manifests do not fit');
  assert.deepEqual(again.files.slice(), (await plan(null)).files.slice());
});
