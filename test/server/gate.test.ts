import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { createAuditor } from '../../src/auth/audit.ts';
import { openPolicyStore } from '../../src/auth/policy/reload.ts';
import { parseTableIdentifier } from '../../src/core/identifier.ts';
import { openMemoryKeyValueStore } from '../../src/core/key-value.ts';
import { createFactsSource } from '../../src/server/facts-source.ts';
import { createGate } from '../../src/server/gate.ts';
import { createLog } from '../../src/server/telemetry/log.ts';
import { localPath } from '../../src/storage/locations.ts';
import { user } from '../auth/policy-samples.ts';
import { flights, flightsSchema, openTemporaryCatalog, signal } from '../support/temporary-catalog.ts';

const policies = `
@id("see") permit (principal == User::"ann", action in [Action::"readTable", Action::"write"], resource in Namespace::"bronze");
@id("err") forbid (principal == User::"erin", action, resource)
when { resource.tags.contains("x") || (resource.tags.isEmpty() && 9223372036854775807 + 1 > 0) };
@id("erin") permit (principal == User::"erin", action, resource);`;
const [ann, erin, bob] = ['ann', 'erin', 'bob'].map((name) => user(name)) as [Caller, Caller, Caller];
type Caller = ReturnType<typeof user>;
const absent = parseTableIdentifier('bronze.absent');

/** A gate over real parts; only who calls is given. `records` are the audit's, `logged` the log's lines. */
async function openGate() {
  await using opened = new AsyncDisposableStack();
  const temporary = opened.use(await openTemporaryCatalog());
  await temporary.catalog.createTable(flights, { schema: flightsSchema }, { signal });
  const directory = join(temporary.folder, 'policies');
  await mkdir(directory);
  await writeFile(join(directory, 'a.cedar'), policies);
  const kv = openMemoryKeyValueStore();
  const store = opened.use(await openPolicyStore({ directory, tables: async () => [], kv }));
  // As after a restart: nothing of the tables is in memory.
  const reopened = opened.use(await openTemporaryCatalog({ folder: temporary.folder }));
  const lines: string[] = [];
  const records: { action: string; outcome: string; table: string | null; determinedBy: readonly string[] }[] = [];
  const gate = createGate({
    authenticator: { authenticate: async () => ann, recheck: () => {} },
    policies: store,
    catalog: reopened.catalog,
    facts: createFactsSource(reopened.catalog),
    auditor: createAuditor((line) => records.push(line as (typeof records)[number])),
    log: createLog('error', { write: (line: string) => void lines.push(line) }),
    now: Date.now,
    changes: () => 0,
  });
  const owned = opened.move();
  const outcomes = () => records.map(({ table, action, outcome }) => [table, action, outcome]);
  return { gate, temporary, records, outcomes, lines, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

test('a decision that cannot be made is POLICY_UNAVAILABLE and on record', async () => {
  await using opened = await openGate();
  await assert.rejects(opened.gate.see(erin, flights, signal), { code: 'POLICY_UNAVAILABLE' });
  assert.deepEqual(opened.outcomes(), [['bronze.flights', 'discover', 'POLICY_UNAVAILABLE']]);
});

test('a table whose metadata cannot be read is not found, by name and by uuid, and the cause is logged', async () => {
  await using opened = await openGate();
  const { catalog } = opened.temporary;
  const { metadataLocation, metadata } = await catalog.loadTable(flights, signal);
  await writeFile(localPath(metadataLocation), '{"format-version": 2}');
  const messages: string[] = [];
  for (const name of [flights, absent]) {
    await assert.rejects(opened.gate.see(bob, name, signal), (error: Error & { code?: string }) => {
      messages.push(error.message.replace(name.name, '…'));
      return error.code === 'NOT_FOUND';
    });
  }
  assert.equal(messages[0], messages[1], 'reads like a table that is not there');
  await assert.rejects(opened.gate.seeAgain(ann, metadata.tableUuid, signal), { code: 'REVOKED' });
  assert.deepEqual(opened.outcomes(), [
    ['bronze.flights', 'discover', 'CORRUPT_FILE'],
    ['bronze.flights', 'readTable', 'CORRUPT_FILE'],
  ]);
  assert.match(opened.lines[0]!, /"code":"CORRUPT_FILE".*cannot be read/);
});

test('creating a table is on record with the policies that determined it, allowed or not', async () => {
  await using opened = await openGate();
  await opened.gate.requireCreate(ann, absent);
  await assert.rejects(opened.gate.requireCreate(bob, absent), { code: 'NOT_FOUND' });
  await assert.rejects(opened.gate.requireCreate(erin, absent), { code: 'POLICY_UNAVAILABLE' });
  assert.deepEqual(opened.outcomes(), [
    ['bronze.absent', 'write', 'allowed'],
    ['bronze.absent', 'write', 'denied'],
    ['bronze.absent', 'write', 'POLICY_UNAVAILABLE'],
  ]);
  assert.deepEqual(opened.records[0]!.determinedBy, ['see']);
});

test('the administration of the whole catalog is on record', async () => {
  await using opened = await openGate();
  await assert.rejects(opened.gate.requireAdministrator('token', signal), { code: 'PERMISSION_DENIED' });
  assert.deepEqual(opened.outcomes(), [[null, 'administer', 'denied']]);
});
