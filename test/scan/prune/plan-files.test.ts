import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { parseTableMetadata } from '../../../src/catalog/metadata/read.ts';
import { resolveSnapshot } from '../../../src/catalog/metadata/time-travel.ts';
import type { TableMetadata } from '../../../src/catalog/metadata/types.ts';
import { isServiceError } from '../../../src/core/errors.ts';
import { parseFilter } from '../../../src/core/expression/parse.ts';
import { defaultLimits } from '../../../src/core/limits.ts';
import { bindFilter } from '../../../src/scan/filter/bind.ts';
import { type FilePlan, type FilePlanInput, planFiles } from '../../../src/scan/prune/plan-files.ts';
import { openLocalStore } from '../../../src/storage/local.ts';
import type { ObjectStore } from '../../../src/storage/object-store.ts';
import { runPython } from '../../support/python.ts';

/** Text that PyIceberg reads as ours does: for it, as not for SQL, a null is NOT IN any list and != anything. */
const filters = [
  'id >= 0',
  'id < 25',
  'id = 21',
  'id = 1000',
  'id IN (5, 38)',
  "day >= '2001-02-01'",
  "day < '2001-02-01'",
  "day = '2001-02-14' AND region = 'eu'",
  "region = 'us' OR id > 35",
  "region IS NULL AND day >= '2001-03-01'",
  'region IS NOT NULL',
  "region LIKE 'e%'",
  "region IS NOT NULL AND region NOT IN ('eu', 'de')",
  "region IS NOT NULL AND region != 'eu' AND day < '2001-02-01'",
  'score > 3.0',
  'score IS NAN',
  'score IS NOT NULL',
];

const makeTable = `
import datetime, pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.schema import Schema
from pyiceberg.types import LongType, StringType, DateType, DoubleType, NestedField
from pyiceberg.partitioning import PartitionSpec, PartitionField
from pyiceberg.transforms import IdentityTransform
folder = input['folder']
catalog = SqlCatalog('test', uri=f'sqlite:///{folder}/catalog.db', warehouse=f'file://{folder}/warehouse')
catalog.create_namespace('ns')
schema = Schema(NestedField(1, 'id', LongType(), required=False), NestedField(2, 'region', StringType(), required=False),
    NestedField(3, 'day', DateType(), required=False), NestedField(4, 'score', DoubleType(), required=False))
spec = PartitionSpec(PartitionField(3, 1000, IdentityTransform(), 'day'), PartitionField(2, 1001, IdentityTransform(), 'region'))
table = catalog.create_table('ns.t', schema, partition_spec=spec)
for month in range(4):
    ids = [month * 10 + i for i in range(10)]
    score = pa.array([None if month == 3 else float('nan') if month == 2 and i == 0 else float(month) for i in range(10)], pa.float64())
    table.append(pa.table({'id': ids, 'region': [['eu', 'us', None][i % 3] for i in range(10)],
        'day': [datetime.date(2001, month + 1, 10 + i // 5 * 4) for i in range(10)], 'score': score}))
table.delete("id >= 10 and id < 13")
files = {text: sorted(task.file.file_path for task in table.scan(row_filter=text).plan_files()) for text in input['filters']}
output = {'metadata': table.metadata_location.removeprefix('file://'), 'files': files}
`;

const objects = openLocalStore();
let folder: string;
let metadata: TableMetadata;
let planned: Readonly<Record<string, string[]>>;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headrace-plan-files-'));
  const made = (await runPython(makeTable, { folder, filters })) as {
    metadata: string;
    files: Record<string, string[]>;
  };
  metadata = parseTableMetadata(await readFile(made.metadata, 'utf8'));
  planned = made.files;
});
after(async () => {
  await objects[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

function plan(text: string | null, change: Partial<FilePlanInput> = {}): Promise<FilePlan> {
  const schema = metadata.schemas.find(({ schemaId }) => schemaId === metadata.currentSchemaId)!;
  return planFiles({
    metadata,
    snapshot: resolveSnapshot(metadata, { kind: 'main' })!,
    schema,
    filter: text === null ? null : bindFilter(parseFilter(text, defaultLimits), schema, () => true),
    objects,
    limits: defaultLimits,
    signal: new AbortController().signal,
    ...change,
  });
}

test('the files are those that PyIceberg plans, and the counts add up', async () => {
  const all = await plan(null);
  assert.ok(all.filesTotal > 8 && all.filesPruned === 0 && all.manifestsPruned === 0);
  for (const text of filters) {
    const { files, filesTotal, filesPruned } = await plan(text);
    assert.deepEqual(Array.from(files, ({ path }) => path).sort(), planned[text], text);
    assert.equal(filesTotal, all.filesTotal, text);
    assert.equal(filesPruned, filesTotal - files.length, text);
  }
});

/** Counts the reads of ranges, which is how manifests are read. */
function counted(): { readonly store: ObjectStore; reads: number } {
  const counter = {
    reads: 0,
    store: new Proxy<ObjectStore>(objects, {
      get(target, name: keyof ObjectStore) {
        if (name === 'read') counter.reads++;
        return target[name].bind(target);
      },
    }),
  };
  return counter;
}

test('manifests that cannot match are not read, others are read once', async () => {
  const counter = counted();
  const first = await plan("day >= '2001-04-01'", { objects: counter.store });
  assert.ok(first.manifestsPruned > 0);
  const reads = counter.reads;
  assert.ok(reads > 0);
  const again = await plan("day >= '2001-04-01'", { objects: counter.store });
  assert.deepEqual(again, first);
  assert.equal(counter.reads, reads, 'the second plan reads no manifest');
  await plan("day >= '2001-04-01'", { objects: counter.store, limits: { ...defaultLimits, manifestCacheBytesMax: 0 } });
  assert.equal(counter.reads, 2 * reads, 'without a cache they are read again');
});

test('too many files and a cancelled call end the plan', async () => {
  await assert.rejects(plan(null, { limits: { ...defaultLimits, planFilesMax: 2 } }), (error) =>
    isServiceError(error, 'LIMIT_EXCEEDED'),
  );
  const controller = new AbortController();
  controller.abort();
  await assert.rejects(plan(null, { signal: controller.signal }), (error) => isServiceError(error, 'CANCELLED'));
});
