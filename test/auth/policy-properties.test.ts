import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isAuthorized } from '@cedar-policy/cedar-wasm/nodejs';
import fc from 'fast-check';
import { decideTable } from '../../src/auth/policy/decide.ts';
import type { Principal, TableDecision, TableFacts } from '../../src/core/access.ts';
import { bind, facts, shown, user } from './policy-samples.ts';

const tags = ['pii', 'open'];
const paths = ['a', 'b', 'c', 'd'];

const tableOf = fc
  .record({
    columns: fc.array(fc.subarray(tags), { minLength: 4, maxLength: 4 }),
    tags: fc.subarray(tags),
    layer: fc.constantFrom('gold', null),
  })
  .map(({ columns, ...rest }) =>
    facts('s.t', Object.fromEntries(paths.map((path, at) => [path, { tags: columns[at]! }])), rest),
  );

const principalOf = fc
  .record({ teams: fc.subarray(['x', 'y']), workload: fc.constantFrom('w', null) })
  .map(({ teams, workload }) => user('ann', teams, { workload }));

const principalScope = fc.constantFrom(
  'principal',
  'principal == User::"ann"',
  'principal == User::"bob"',
  'principal in Team::"x"',
  'principal in Team::"y"',
  'principal in Workload::"w"',
  'principal is User in Team::"x"',
);
const tableScope = fc.constantFrom(
  'resource',
  'resource in Table::"s.t"',
  'resource in Table::"s.other"',
  'resource in Namespace::"s"',
  'resource in Namespace::"z"',
);
const columnScope = fc.oneof(
  tableScope,
  fc.constantFrom(...paths).map((path) => `resource == Column::"s.t.${path}"`),
);
const condition = fc.constantFrom(
  '',
  'when { resource.tags.contains("pii") }',
  'unless { resource.tags.contains("pii") }',
  'when { resource.layer == "gold" }',
  'when { principal in Team::"y" }',
  'unless { principal in Team::"x" || principal in Workload::"w" }',
  'when { resource.tags.contains("open") && resource.layer != "gold" }',
);
const columnCondition = fc.oneof(
  condition,
  fc.constantFrom(
    'when { resource == Column::"s.t.a" }',
    'unless { [Column::"s.t.b", Column::"s.t.c"].contains(resource) }',
    'when { resource in [Column::"s.t.c", Column::"s.t.d"] || resource.tags.contains("open") }',
  ),
);

const policyOf = (effect: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.oneof(
    fc
      .tuple(
        effect,
        principalScope,
        tableScope,
        condition,
        fc.constantFrom('', '', `@filter("a = 'x'")`, `@filter("b > 3")`),
      )
      .map(
        ([kind, who, what, when, filter]) =>
          `${kind === 'permit' ? filter : ''} ${kind} (${who}, action == Action::"readTable", ${what}) ${when};`,
      ),
    fc
      .tuple(
        effect,
        principalScope,
        columnScope,
        columnCondition,
        fc.constantFrom('', '', '@mask("show-last-4")', '@mask("mask-to-default")'),
      )
      .map(
        ([kind, who, what, when, mask]) =>
          `${kind === 'permit' ? mask : ''} ${kind} (${who}, action == Action::"readColumn", ${what}) ${when};`,
      ),
    fc
      .tuple(effect, principalScope, tableScope, condition)
      .map(([kind, who, what, when]) => `${kind} (${who}, action, ${what}) ${when};`),
  );
const policiesOf = fc.array(policyOf(fc.constantFrom('permit', 'permit', 'forbid')), { maxLength: 8 });

const decideBy = (policies: readonly string[], principal: Principal, table: TableFacts): TableDecision =>
  decideTable(bind(policies.join('\n'), [table]), principal, table);

test('adding a forbid never widens a decision', () => {
  fc.assert(
    fc.property(
      policiesOf,
      policyOf(fc.constant('forbid')),
      principalOf,
      tableOf,
      (policies, forbid, principal, table) => {
        const wide = decideBy(policies, principal, table);
        const narrow = decideBy([...policies, forbid], principal, table);
        for (const action of narrow.actions) assert.ok(wide.actions.has(action), action);
        for (const [field, access] of narrow.columns) assert.deepEqual(access, wide.columns.get(field));
        if (wide.restricted) assert.ok(narrow.restricted);
        if (narrow.actions.has('readTable')) assert.deepEqual(narrow.rowFilter, wide.rowFilter);
      },
    ),
    { numRuns: 150 },
  );
});

test('removing a permit never widens a decision', () => {
  fc.assert(
    fc.property(
      policiesOf,
      policyOf(fc.constant('permit')),
      principalOf,
      tableOf,
      (policies, permit, principal, table) => {
        const wide = decideBy([...policies, permit], principal, table);
        const narrow = decideBy(policies, principal, table);
        for (const action of narrow.actions) assert.ok(wide.actions.has(action), action);
        for (const field of narrow.columns.keys()) assert.ok(wide.columns.has(field));
        if (wide.restricted) assert.ok(narrow.restricted);
      },
    ),
    { numRuns: 100 },
  );
});

test('slices, classes and bound names decide as Cedar does on the whole set, column by column', () => {
  fc.assert(
    fc.property(policiesOf, principalOf, tableOf, (policies, principal, table) => {
      const decision = decideBy(policies, principal, table);
      const expected = paths.filter((_, at) => cedarAllows(policies, principal, table, at));
      assert.deepEqual(Object.keys(shown(decision, table)), expected);
      assert.equal(decision.actions.has('readTable'), cedarAllows(policies, principal, table, null));
    }),
    { numRuns: 150 },
  );
});

/** Cedar with every policy as written, every entity under its own name, and no schema. */
function cedarAllows(
  policies: readonly string[],
  principal: Principal,
  table: TableFacts,
  column: number | null,
): boolean {
  const groups = [
    ...principal.teams.map((id) => ({ type: 'Team', id })),
    ...(principal.workload === null ? [] : [{ type: 'Workload', id: principal.workload }]),
  ];
  const tableUid = { type: 'Table', id: 's.t' };
  const layer = table.layer ?? '';
  const answer = isAuthorized({
    principal: { type: 'User', id: principal.name },
    action: { type: 'Action', id: column === null ? 'readTable' : 'readColumn' },
    resource: column === null ? tableUid : { type: 'Column', id: `s.t.${paths[column]}` },
    context: {},
    policies: { staticPolicies: Object.fromEntries(policies.map((text, at) => [`p${at}`, text])) },
    entities: [
      { uid: { type: 'User', id: principal.name }, attrs: {}, parents: groups },
      { uid: { type: 'Namespace', id: 's' }, attrs: { tags: [], layer: '' }, parents: [] },
      { uid: tableUid, attrs: { tags: [...table.tags], layer }, parents: [{ type: 'Namespace', id: 's' }] },
      ...table.columns.map(({ path, tags: own }) => ({
        uid: { type: 'Column', id: `s.t.${path}` },
        attrs: { tags: [...own], layer },
        parents: [tableUid],
      })),
    ],
  });
  assert.equal(answer.type, 'success');
  assert.deepEqual(answer.response.diagnostics.errors, []);
  return answer.response.decision === 'allow';
}
