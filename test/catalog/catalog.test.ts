import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import type { CommitOptions } from '../../src/catalog/catalog.ts';
import { stringifyJson } from '../../src/catalog/metadata/big-json.ts';
import type { TableUpdate } from '../../src/catalog/metadata/commit-types.ts';
import { parseTableMetadata } from '../../src/catalog/metadata/read.ts';
import { tableMetadataToJson } from '../../src/catalog/metadata/write.ts';
import { parseTableIdentifier, type TableIdentifier } from '../../src/core/identifier.ts';
import { fieldId, snapshotId } from '../../src/core/ids.ts';
import { fileLocation, localPath } from '../../src/storage/locations.ts';
import { appendUpdates, flights, flightsSchema, openTemporaryCatalog, signal } from '../support/temporary-catalog.ts';

const options: CommitOptions = { signal };
const setProperty = (name: string, value = '1'): TableUpdate => ({
  kind: 'set-properties',
  updates: new Map([[name, value]]),
});
const metadataFiles = async (location: string): Promise<string[]> =>
  (await readdir(join(localPath(location), 'metadata'))).sort();

test('a created table has fresh ids, a place nobody can guess, and reads back as it was returned', async () => {
  await using temporary = await openTemporaryCatalog();
  const { catalog } = temporary;
  const schema = {
    ...flightsSchema,
    fields: flightsSchema.fields.map((field) => ({ ...field, id: fieldId(field.id + 50) })),
  };
  const transform = { kind: 'bucket', buckets: 4 } as const;
  const spec = { specId: 9, fields: [{ sourceId: fieldId(51), fieldId: 5, name: 'id_bucket', transform }] };
  const created = await catalog.createTable(
    flights,
    { schema, partitionSpec: spec, properties: new Map([['a', 'b']]) },
    options,
  );
  const { metadata } = created;
  assert.deepEqual(
    metadata.schemas[0]!.fields.map(({ id }) => id),
    [1, 2],
  );
  assert.deepEqual(metadata.partitionSpecs, [
    { specId: 0, fields: [{ sourceId: 1, fieldId: 1000, name: 'id_bucket', transform }] },
  ]);
  assert.deepEqual(
    [...metadata.properties],
    [
      ['write.parquet.compression-codec', 'zstd'],
      ['a', 'b'],
    ],
  );
  assert.equal(metadata.location, `${catalog.warehouse}/bronze/flights-${metadata.tableUuid}`);
  assert.match(created.metadataLocation, /\/metadata\/00000-[0-9a-f-]{36}\.metadata\.json$/);
  await using reopened = await openTemporaryCatalog({ folder: temporary.folder });
  assert.deepEqual((await reopened.catalog.loadTable(flights, signal)).metadata, metadata);
});

test('names with characters that paths treat differently stay out of locations', async () => {
  await using temporary = await openTemporaryCatalog();
  const identifier = { namespace: ['bronze'], name: 'flüge #1 100%20' };
  const { metadata } = await temporary.catalog.createTable(identifier, { schema: flightsSchema }, options);
  assert.match(metadata.location, /\/bronze\/fl_ge__1_100_20-[0-9a-f-]{36}$/);
});

test('a table and its first snapshot are one commit', async () => {
  await using temporary = await openTemporaryCatalog();
  const { catalog } = temporary;
  const staged = await catalog.stageTable(flights, { schema: flightsSchema });
  await assert.rejects(catalog.loadTable(flights, signal), { code: 'NOT_FOUND' });
  const created = await catalog.createStaged(flights, staged, appendUpdates(staged, 7n), options);
  assert.equal(created.metadata.currentSnapshotId, 7n);
  assert.equal(created.metadata.tableUuid, staged.tableUuid);
  assert.deepEqual(created.metadata.metadataLog, []);
  assert.equal((await metadataFiles(staged.location)).length, 1);
});

test('format version 3 cannot be created, by definition or by property', async () => {
  await using temporary = await openTemporaryCatalog();
  for (const extra of [{ formatVersion: 3 }, { properties: new Map([['format-version', '3']]) }]) {
    await assert.rejects(temporary.catalog.createTable(flights, { schema: flightsSchema, ...extra }, options), {
      code: 'UNSUPPORTED_FEATURE',
    });
  }
  const v1 = await temporary.catalog.createTable(flights, { schema: flightsSchema, formatVersion: 1 }, options);
  assert.equal(v1.metadata.formatVersion, 1);
});

test('each commit writes the next version and logs the one before', async () => {
  await using temporary = await openTemporaryCatalog();
  const { catalog } = temporary;
  const first = await catalog.createTable(flights, { schema: flightsSchema }, options);
  const second = await catalog.commitTable(flights, { requirements: [], updates: [setProperty('x')] }, options);
  assert.match(second.metadataLocation, /\/metadata\/00001-/);
  assert.equal(second.metadata.metadataLog.at(-1)?.metadataFile, first.metadataLocation);
  const same = await catalog.commitTable(flights, { requirements: [], updates: [setProperty('x')] }, options);
  assert.equal(same.metadataLocation, second.metadataLocation, 'nothing changed, nothing is written');
  assert.equal((await catalog.store.table(flights))?.previousMetadataLocation, first.metadataLocation);
});

test('a table is created by assert-create and updates, as REST clients do after staging', async () => {
  await using temporary = await openTemporaryCatalog();
  const { catalog } = temporary;
  const location = `${catalog.warehouse}/bronze/by-updates`;
  const updates: TableUpdate[] = [
    { kind: 'assign-uuid', uuid: randomUUID() },
    { kind: 'add-schema', schema: flightsSchema },
    { kind: 'set-current-schema', schemaId: -1 },
    { kind: 'add-spec', spec: { fields: [] } },
    { kind: 'set-default-spec', specId: -1 },
    { kind: 'add-sort-order', sortOrder: { orderId: 0, fields: [] } },
    { kind: 'set-default-sort-order', sortOrderId: -1 },
    { kind: 'set-location', location },
  ];
  await assert.rejects(catalog.commitTable(flights, { requirements: [], updates }, options), { code: 'NOT_FOUND' });
  const create = { requirements: [{ kind: 'assert-create' }], updates } as const;
  await catalog.commitTable(flights, create, options);
  await assert.rejects(catalog.commitTable(flights, create, options), { code: 'ALREADY_EXISTS' });
});

test('a failed commit leaves neither a pointer nor a file behind', async () => {
  await using temporary = await openTemporaryCatalog();
  const { catalog } = temporary;
  const other = parseTableIdentifier('bronze.other');
  const { metadata } = await catalog.createTable(flights, { schema: flightsSchema }, options);
  await catalog.createTable(other, { schema: flightsSchema }, options);
  const before = await metadataFiles(metadata.location);
  const fails = { kind: 'assert-current-schema-id', currentSchemaId: 9 } as const;
  const good = { identifier: flights, requirements: [], updates: [setProperty('x')] };
  const bad = { identifier: other, requirements: [fails], updates: [setProperty('x')] };
  await assert.rejects(catalog.commitTables([good, bad], options), { code: 'COMMIT_CONFLICT' });
  await assert.rejects(catalog.commitTables([good, good], options), { code: 'INVALID_REQUEST' });
  const key = { idempotencyKey: 'k', principal: 'p', digest: 'd' };
  await catalog.commitTable(other, { requirements: [], updates: [setProperty('y')] }, { ...options, ...key });
  const stolen = { ...options, ...key, principal: 'thief' };
  await assert.rejects(catalog.commitTable(flights, good, stolen), { code: 'ALREADY_EXISTS' });
  assert.deepEqual(await metadataFiles(metadata.location), before);
  assert.deepEqual((await catalog.loadTable(flights, signal)).metadata, metadata);
});

test('several tables commit together', async () => {
  await using temporary = await openTemporaryCatalog();
  const { catalog } = temporary;
  const names = ['bronze.a', 'bronze.b', 'bronze.c'].map(parseTableIdentifier);
  for (const name of names) await catalog.createTable(name, { schema: flightsSchema }, options);
  const committed = await catalog.commitTables(
    names.map((identifier) => ({ identifier, requirements: [], updates: [setProperty('together')] })),
    options,
  );
  assert.deepEqual(
    committed.map(({ metadata }) => metadata.properties.get('together')),
    ['1', '1', '1'],
  );
});

test('the same idempotency key commits once and gives the same answer, also after later commits and a restart', async () => {
  await using temporary = await openTemporaryCatalog();
  const { catalog } = temporary;
  const keyed: CommitOptions = { signal, idempotencyKey: 'k', principal: 'p', digest: 'd', result: '{"rows":3}' };
  const create = () => catalog.createTable(flights, { schema: flightsSchema }, { ...keyed, idempotencyKey: 'create' });
  const created = await create();
  assert.deepEqual(await create(), { ...created, replayed: true });
  const append = (on = catalog) =>
    on.retryCommit(
      flights,
      async ({ metadata }) => ({ requirements: [], updates: appendUpdates(metadata, 7n), result: '{"snapshot":"7"}' }),
      keyed,
    );
  const first = await append();
  assert.deepEqual([first.replayed, first.result], [false, '{"snapshot":"7"}']);
  await catalog.commitTable(flights, { requirements: [], updates: [setProperty('later')] }, options);
  const again = await append();
  assert.deepEqual(again, { ...first, replayed: true });
  await using reopened = await openTemporaryCatalog({ folder: temporary.folder });
  assert.deepEqual(await append(reopened.catalog), { ...first, replayed: true });
  await assert.rejects(catalog.commitTable(flights, { requirements: [], updates: [] }, { ...keyed, digest: 'other' }), {
    code: 'ALREADY_EXISTS',
  });
});

test('calls with one key at the same time commit once', async () => {
  await using temporary = await openTemporaryCatalog();
  const { catalog } = temporary;
  await catalog.createTable(flights, { schema: flightsSchema }, options);
  const keyed: CommitOptions = { signal, idempotencyKey: 'k', principal: 'p', digest: 'd' };
  const outcomes = await Promise.all(
    Array.from({ length: 8 }, (_, index) =>
      catalog.retryCommit(
        flights,
        async ({ metadata }) => ({ requirements: [], updates: appendUpdates(metadata, BigInt(index + 1)) }),
        keyed,
      ),
    ),
  );
  assert.equal(outcomes.filter(({ replayed }) => !replayed).length, 1);
  const { metadata } = await catalog.loadTable(flights, signal);
  assert.equal(metadata.snapshots.length, 1);
  assert.equal((await metadataFiles(metadata.location)).length, 2);
});

test('retryCommit rebuilds on a lost race, cleans up each lost attempt, and gives up after its maximum', async () => {
  await using temporary = await openTemporaryCatalog();
  const { catalog } = temporary;
  await using rival = await openTemporaryCatalog({ folder: temporary.folder });
  await catalog.createTable(flights, { schema: flightsSchema }, options);
  let [builds, cleanups] = [0, 0];
  const loseUntil = (last: number) => () =>
    catalog.retryCommit(
      flights,
      async (table) => {
        if (builds++ < last) {
          const change = { requirements: [], updates: [setProperty('rival', `${builds}`)] };
          await rival.catalog.commitTable(flights, change, options);
        }
        return {
          requirements: [],
          updates: appendUpdates(table.metadata, 7n),
          cleanup: async () => {
            cleanups++;
          },
        };
      },
      options,
    );
  const committed = await loseUntil(2)();
  assert.deepEqual([builds, cleanups, committed.metadata.properties.get('rival')], [3, 2, '2']);
  await using impatient = await openTemporaryCatalog({
    folder: temporary.folder,
    limits: { ...(await import('../../src/core/limits.ts')).defaultLimits, commitRetriesMax: 1 },
  });
  const lose = impatient.catalog.retryCommit(
    flights,
    async () => {
      await rival.catalog.commitTable(
        flights,
        { requirements: [], updates: [setProperty('r', randomUUID())] },
        options,
      );
      return { requirements: [], updates: [setProperty('mine')] };
    },
    options,
  );
  await assert.rejects(lose, { code: 'COMMIT_CONFLICT' });
  const says = catalog.retryCommit(flights, () => Promise.reject(new TypeError('mine')), options);
  await assert.rejects(says, TypeError);
  await catalog.commitTable(flights, { requirements: [], updates: [setProperty('still works')] }, options);
});

test('a plain commit survives a race that its requirements do not forbid', async () => {
  await using temporary = await openTemporaryCatalog();
  await using rival = await openTemporaryCatalog({ folder: temporary.folder });
  await temporary.catalog.createTable(flights, { schema: flightsSchema }, options);
  await Promise.all(
    Array.from({ length: 12 }, (_, index) =>
      (index % 2 === 0 ? temporary : rival).catalog.commitTable(
        flights,
        { requirements: [], updates: [setProperty(`p${index}`)] },
        options,
      ),
    ),
  );
  const { metadata } = await temporary.catalog.loadTable(flights, signal);
  assert.equal([...metadata.properties.keys()].filter((name) => name.startsWith('p')).length, 12);
});

test('a cancelled commit does nothing and lets the next one through', async () => {
  await using temporary = await openTemporaryCatalog();
  const { catalog } = temporary;
  const { metadata } = await catalog.createTable(flights, { schema: flightsSchema }, options);
  const controller = new AbortController();
  const holder = Promise.withResolvers<void>();
  const slow = catalog.retryCommit(
    flights,
    async () => {
      await holder.promise;
      return { requirements: [], updates: [setProperty('slow')] };
    },
    options,
  );
  const change = { requirements: [], updates: [setProperty('never')] };
  const waiting = catalog.commitTable(flights, change, { signal: controller.signal });
  await new Promise((resume) => setTimeout(resume, 20));
  controller.abort();
  await assert.rejects(waiting, { code: 'CANCELLED' });
  holder.resolve();
  await slow;
  await assert.rejects(catalog.commitTable(flights, change, { signal: controller.signal }), { code: 'CANCELLED' });
  assert.equal((await metadataFiles(metadata.location)).length, 2);
});

const escapes: readonly (readonly [what: string, updates: (outside: string) => TableUpdate[]])[] = [
  ['a location outside the warehouse', (outside) => [{ kind: 'set-location', location: outside }]],
  ['the properties of file access', () => [setProperty('s3.endpoint', 'http://elsewhere')]],
  ['a data path outside the table', (outside) => [setProperty('write.data.path', outside)]],
  [
    'statistics outside the table',
    (outside) => [
      {
        kind: 'set-statistics',
        snapshotId: snapshotId(1n),
        statistics: { 'snapshot-id': 1, 'statistics-path': `${outside}/s.puffin` },
      },
    ],
  ],
];
for (const [what, updates] of escapes) {
  test(`a commit cannot set ${what}`, async () => {
    await using temporary = await openTemporaryCatalog();
    await temporary.catalog.createTable(flights, { schema: flightsSchema }, options);
    const change = { requirements: [], updates: updates(fileLocation(temporary.folder)) };
    await assert.rejects(temporary.catalog.commitTable(flights, change, options), { code: 'INVALID_REQUEST' });
  });
}

test('a snapshot cannot name another table’s manifest list, nor a table lie in another’s folder', async () => {
  await using temporary = await openTemporaryCatalog();
  const { catalog } = temporary;
  const secret = await catalog.createTable(parseTableIdentifier('bronze.secret'), { schema: flightsSchema }, options);
  const mine = await catalog.createTable(flights, { schema: flightsSchema }, options);
  const [add, setRef] = appendUpdates(mine.metadata, 7n);
  assert.ok(add?.kind === 'add-snapshot');
  for (const manifestList of [
    `${secret.metadata.location}/metadata/snap-1.avro`,
    `${mine.metadata.location}/../${secret.metadata.location.split('/').at(-1)}/metadata/snap-1.avro`,
    `${mine.metadata.location}-beside/snap-1.avro`,
  ]) {
    const updates = [{ ...add, snapshot: { ...add.snapshot, manifestList } }, setRef!];
    const commit = catalog.commitTable(flights, { requirements: [], updates }, options);
    await assert.rejects(commit, { code: 'INVALID_REQUEST', message: /manifest list/ });
  }
  const inside = `${secret.metadata.location}/inner`;
  for (const location of [inside, secret.metadata.location, catalog.warehouse, `${catalog.warehouse}/bronze`]) {
    const create = catalog.createTable(parseTableIdentifier('bronze.x'), { schema: flightsSchema, location }, options);
    await assert.rejects(create, { code: 'INVALID_REQUEST' }, location);
  }
});

test('a table is not made in a folder around which another table has moved, and none moves around another', async () => {
  await using temporary = await openTemporaryCatalog();
  const { catalog } = temporary;
  await catalog.createNamespace(['silver']);
  const setLocation = (location: string) => ({
    requirements: [],
    updates: [{ kind: 'set-location', location }] as const,
  });
  const [inside, secret] = ['silver.inside', 'silver.secret'].map((name) => parseTableIdentifier(name)) as [
    TableIdentifier,
    TableIdentifier,
  ];
  // Staged while the folder is empty, committed after it was taken.
  const staged = await catalog.stageTable(inside, { schema: flightsSchema });
  await catalog.createTable(flights, { schema: flightsSchema }, options);
  await catalog.commitTable(flights, setLocation(`${catalog.warehouse}/silver`), options);
  const refused = { code: 'INVALID_REQUEST', message: /overlaps/ };
  await assert.rejects(catalog.createStaged(inside, staged, [], options), refused);
  await assert.rejects(catalog.createTable(secret, { schema: flightsSchema }, options), refused);
  await catalog.commitTable(flights, setLocation(`${catalog.warehouse}/elsewhere`), options);
  const made = await catalog.createTable(secret, { schema: flightsSchema }, options);
  for (const location of [`${catalog.warehouse}/silver`, `${made.metadata.location}/deeper`]) {
    await assert.rejects(catalog.commitTable(flights, setLocation(location), options), refused, location);
  }
});

test('a table that another engine wrote is registered where it lies, once', async () => {
  await using temporary = await openTemporaryCatalog();
  const { catalog, folder } = temporary;
  await using foreign = await openTemporaryCatalog();
  const { metadata, metadataLocation } = await foreign.catalog.createTable(flights, { schema: flightsSchema }, options);
  const registered = await catalog.registerTable(flights, metadataLocation, signal);
  assert.deepEqual(registered.metadata, metadata);
  const twice = catalog.registerTable(parseTableIdentifier('bronze.twice'), metadataLocation, signal);
  await assert.rejects(twice, { code: 'INVALID_REQUEST', message: /overlaps/ });
  const committed = await catalog.commitTable(flights, { requirements: [], updates: [setProperty('x')] }, options);
  assert.equal(dirname(committed.metadataLocation), dirname(metadataLocation));
  const broken = join(folder, 'broken.metadata.json');
  await writeFile(broken, '{"format-version": 2}');
  const name = parseTableIdentifier('bronze.broken');
  await assert.rejects(catalog.registerTable(name, fileLocation(broken), signal), { code: 'CORRUPT_FILE' });
  await assert.rejects(catalog.registerTable(name, fileLocation(`${broken}.absent`), signal), { code: 'NOT_FOUND' });
  await assert.rejects(catalog.registerTable(name, 'relative/v1.metadata.json', signal), { code: 'INVALID_REQUEST' });
});

test('metadata that turned into another table’s is CORRUPT_FILE', async () => {
  await using temporary = await openTemporaryCatalog();
  const { metadata, metadataLocation } = await temporary.catalog.createTable(
    flights,
    { schema: flightsSchema },
    options,
  );
  const json = { ...tableMetadataToJson(metadata), 'table-uuid': randomUUID() };
  await writeFile(localPath(metadataLocation), stringifyJson(json));
  await using reopened = await openTemporaryCatalog({ folder: temporary.folder });
  await assert.rejects(reopened.catalog.loadTable(flights, signal), { code: 'CORRUPT_FILE', message: /uuid/ });
});

test('a table that asks for it gets gzip metadata, which is read again', async () => {
  await using temporary = await openTemporaryCatalog();
  const properties = new Map([['write.metadata.compression-codec', 'gzip']]);
  const created = await temporary.catalog.createTable(flights, { schema: flightsSchema, properties }, options);
  assert.match(created.metadataLocation, /\.gz\.metadata\.json$/);
  await using reopened = await openTemporaryCatalog({ folder: temporary.folder });
  assert.deepEqual((await reopened.catalog.loadTable(flights, signal)).metadata, created.metadata);
  const next = await reopened.catalog.commitTable(flights, { requirements: [], updates: [setProperty('x')] }, options);
  assert.match(next.metadataLocation, /\/00001-[^/]*\.gz\.metadata\.json$/);
});

test('dropping keeps the files, purging removes them, and gc.enabled=false forbids it', async () => {
  await using temporary = await openTemporaryCatalog();
  const { catalog } = temporary;
  const kept = await catalog.createTable(flights, { schema: flightsSchema }, options);
  await catalog.dropTable(flights, { purge: false, signal });
  assert.equal(
    parseTableMetadata(stringifyJson(tableMetadataToJson(kept.metadata))).tableUuid,
    kept.metadata.tableUuid,
  );
  await stat(localPath(kept.metadataLocation));
  const protectedTable = { schema: flightsSchema, properties: new Map([['gc.enabled', 'false']]) };
  await catalog.createTable(flights, protectedTable, options);
  await assert.rejects(catalog.dropTable(flights, { purge: true, signal }), { code: 'INVALID_REQUEST' });
  await catalog.commitTable(flights, { requirements: [], updates: [setProperty('gc.enabled', 'true')] }, options);
  const { metadataLocation } = await catalog.loadTable(flights, signal);
  await catalog.dropTable(flights, { purge: true, signal });
  await assert.rejects(stat(localPath(metadataLocation)), { code: 'ENOENT' });
  await stat(localPath(kept.metadataLocation));
  await assert.rejects(catalog.dropTable(flights, { purge: true, signal }), { code: 'NOT_FOUND' });
});

test('namespaces and tables that are absent are NOT_FOUND', async () => {
  await using temporary = await openTemporaryCatalog();
  const { catalog } = temporary;
  const absent = parseTableIdentifier('none.t');
  const calls = [
    () => catalog.listTables(['none']),
    () => catalog.listNamespaces(['none']),
    () => catalog.namespaceProperties(['none']),
    () => catalog.loadTable(absent, signal),
    () => catalog.createTable(absent, { schema: flightsSchema }, options),
    () => catalog.commitTable(flights, { requirements: [], updates: [] }, options),
    () => catalog.renameTable(flights, absent),
    () => catalog.retryCommit(flights, async () => ({ requirements: [], updates: [] }), options),
  ];
  for (const call of calls) await assert.rejects(call, { code: 'NOT_FOUND' });
  assert.deepEqual([await catalog.namespaceExists(['none']), await catalog.tableExists(flights)], [false, false]);
});
