import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { keepBindings, readBindings, withBindings } from '../../src/auth/policy/binding-store.ts';
import { bindPolicies } from '../../src/auth/policy/bindings.ts';
import { checkPolicies } from '../../src/auth/policy/check.ts';
import { decideTable } from '../../src/auth/policy/decide.ts';
import type { TableFacts } from '../../src/core/access.ts';
import { tableUuid } from '../../src/core/ids.ts';
import { openMemoryKeyValueStore } from '../../src/core/key-value.ts';
import { bind, everything, facts, load, shown, user } from './policy-samples.ts';

const ann = user('ann');
const forbidPhone = `${everything}forbid (principal, action == Action::"readColumn", resource == Column::"silver.t.phone");\n`;
const before = facts('silver.t', { '1:id': {}, '2:phone': {} });
const renamed = facts('silver.t', { '1:id': {}, '2:mobile': {} });
const reused = facts('silver.t', { '1:id': {}, '2:mobile': {}, '3:phone': {} });

/** What is shown after the names were looked up in each of these tables in turn, and kept. */
function shownAfter(text: string, history: readonly TableFacts[]): Record<string, string> {
  let bound = bind(text, history.slice(0, 1));
  for (const table of history) bound = bindPolicies(bound.set, [table], bound.bindings);
  const last = history.at(-1)!;
  return shown(decideTable(bound, ann, last), last);
}

describe('names in policies', () => {
  test('stay with their field when it is renamed, and do not pass to a new field of the old name', () => {
    assert.deepEqual(shownAfter(forbidPhone, [before, renamed]), { id: 'raw' });
    assert.deepEqual(shownAfter(forbidPhone, [before, renamed, reused]), { id: 'raw', phone: 'raw' });
  });

  test('control: looked up afresh, the renamed column would show', () => {
    assert.deepEqual(shownAfter(forbidPhone, [reused]), { id: 'raw', mobile: 'raw' });
  });

  test('of an edited policy are looked up afresh', () => {
    const first = bind(forbidPhone, [before]);
    const edited = load(forbidPhone.replace('resource == Column', 'resource  ==  Column'));
    const { bindings } = bindPolicies(edited, [reused], first.bindings);
    assert.deepEqual(shown(decideTable({ set: edited, bindings }, ann, reused), reused), { id: 'raw', mobile: 'raw' });
  });

  test('of two policies may mean different fields by the same name, and one field by different names', () => {
    const old = bind(forbidPhone, [before]);
    const set = load(
      `${forbidPhone}@id("new") forbid (principal, action == Action::"readColumn", resource) when { resource == Column::"silver.t.phone" };`,
    );
    const { bindings } = bindPolicies(set, [reused], old.bindings);
    assert.deepEqual(shown(decideTable({ set, bindings }, ann, reused), reused), { id: 'raw' });
  });

  test('hold for a field that was dropped, and for reads of old snapshots', () => {
    const dropped = facts('silver.t', { '1:id': {}, '2:phone': { current: false } });
    assert.deepEqual(shownAfter(forbidPhone, [before, dropped]), { id: 'raw' });
    assert.deepEqual(bind(forbidPhone, [dropped]).errors, []);
    const both = facts('silver.t', { '1:id': {}, '2:phone': { current: false }, '3:phone': {} });
    assert.deepEqual(
      shownAfter(forbidPhone, [both]),
      { id: 'raw', phone: 'raw' },
      'a new policy means the current column',
    );
  });

  test('hold for a renamed table, not for a new one under the old name until it is looked up there', () => {
    const moved = { ...facts('silver.moved', { '1:id': {}, '2:phone': {} }), uuid: before.uuid };
    assert.deepEqual(shownAfter(forbidPhone, [before, moved]), { id: 'raw' });
    const recreated = { ...facts('silver.t', { '1:id': {}, '7:phone': {} }), uuid: tableUuid('other') };
    assert.deepEqual(shownAfter(forbidPhone, [before, recreated]), { id: 'raw' });
  });

  test('in filters stay with their field too', () => {
    const text = '@filter("phone = \'1\'") permit (principal, action == Action::"readTable", resource);';
    const bound = bindPolicies(load(text), [reused], bind(text, [before]).bindings);
    const { rowFilter } = decideTable(bound, ann, reused);
    assert.deepEqual(rowFilter?.kind === 'compare' && rowFilter.term, { kind: 'field', fieldId: 2 });
  });

  test('a container that is renamed keeps its policy', () => {
    const text = `${everything}forbid (principal, action == Action::"readColumn", resource == Column::"silver.t.home");`;
    const first = facts('silver.t', { '1:id': {}, '2:home': {}, '3:home.zip': {} });
    const later = facts('silver.t', { '1:id': {}, '2:address': {}, '3:address.zip': {}, '4:address.new': {} });
    assert.deepEqual(shownAfter(text, [first, later]), { id: 'raw' });
  });

  test('that resolve to nothing in an existing table refuse a forbid and warn of a permit', () => {
    const forbid = bind(
      `${everything}forbid (principal, action == Action::"readColumn", resource == Column::"silver.t.phon");`,
      [before],
    );
    assert.match(forbid.errors[0]!.reason, /"silver\.t\.phon" is no column of silver\.t \(did you mean phone\?\)/);
    const permit = bind('permit (principal, action == Action::"readColumn", resource == Column::"silver.t.phon");', [
      before,
    ]);
    assert.deepEqual([permit.errors.length, permit.warnings.length], [0, 1]);
    const absent = bind(
      'forbid (principal, action == Action::"readColumn", resource == Column::"silver.later.phone");',
      [before],
    );
    assert.deepEqual([absent.errors.length, absent.warnings.length], [0, 0]);
  });

  test('that narrow a permit must resolve as those of a forbid', () => {
    for (const clause of [
      'unless { resource == Column::"silver.t.phon" }',
      'when { resource != Column::"silver.t.phon" }',
      'when { !(resource in Column::"silver.t.phon") }',
      'when { (resource == Column::"silver.t.phon") == false }',
    ]) {
      const bound = bind(`permit (principal, action == Action::"readColumn", resource) ${clause};`, [before]);
      assert.equal(bound.errors.length, 1, clause);
      assert.deepEqual(
        shown(decideTable(bound, ann, before), before),
        {},
        `${clause}: and permits nothing where it is in force`,
      );
    }
  });

  test('are found in a table that is created later', () => {
    const bound = bind(forbidPhone, []);
    const { bindings, added } = bindPolicies(bound.set, [before], bound.bindings);
    assert.deepEqual(
      added.map(({ name, fields }) => [name, fields]),
      [['silver.t.phone', [2]]],
    );
    assert.deepEqual(shown(decideTable({ set: bound.set, bindings }, ann, before), before), { id: 'raw' });
  });

  test('outlive the process, and the first process to bind a name wins', async () => {
    const kv = openMemoryKeyValueStore();
    const first = bind(forbidPhone, [before]);
    await keepBindings(kv, first.added);
    const late = bind(forbidPhone, [reused]);
    const kept = await keepBindings(kv, late.added);
    assert.deepEqual(
      kept.map(({ fields }) => fields),
      [[2]],
    );
    const stored = await readBindings(kv);
    const { bindings } = bindPolicies(first.set, [reused], stored);
    assert.deepEqual(shown(decideTable({ set: first.set, bindings }, ann, reused), reused), {
      id: 'raw',
      phone: 'raw',
    });
    assert.deepEqual(withBindings(new Map(), kept), stored);
  });
});

describe('policy check', () => {
  const check = (text: string, tables = [before]) => checkPolicies([{ name: 'a.cedar', text }], tables, new Map());

  test('gives the errors of a set that would be refused', () => {
    assert.match(check('@msk("x") permit (principal, action, resource);').errors[0]!.reason, /@msk/);
    assert.equal(check(forbidPhone.replace('phone', 'phon')).errors.length, 1);
    assert.deepEqual(check(forbidPhone), { ...check(forbidPhone), errors: [], warnings: [], policies: 3 });
  });

  test('warns of a masked permit that a raw one overrides', () => {
    const masked =
      '@id("m") @mask("show-last-4") permit (principal in Team::"a", action == Action::"readColumn", resource == Column::"silver.t.phone");';
    assert.match(
      check(everything + masked).warnings[0]!.reason,
      /has no effect on silver\.t\.phone: a\.cedar#1 \(a\.cedar:1\) permits it raw/,
    );
    assert.deepEqual(check(masked).warnings, []);
    const other = 'permit (principal in Team::"b", action == Action::"readColumn", resource);';
    assert.deepEqual(check(masked + other).warnings, []);
  });

  test('warns of names that mean nothing now', () => {
    const reasons = (text: string) =>
      check(text)
        .warnings.map(({ reason }) => reason)
        .join();
    assert.match(
      reasons('permit (principal, action, resource in Table::"silver.x");'),
      /Table::"silver\.x" names nothing/,
    );
    assert.match(
      reasons('permit (principal, action, resource in Namespace::"gold");'),
      /Namespace::"gold" names nothing/,
    );
    assert.match(
      reasons('forbid (principal, action == Action::"readColumn", resource == Column::"gold.x.y");'),
      /Column::"gold\.x\.y" names nothing/,
    );
    assert.match(
      reasons('@filter("nope = 1") permit (principal, action == Action::"readTable", resource == Table::"silver.t");'),
      /no row is admitted/,
    );
  });
});
