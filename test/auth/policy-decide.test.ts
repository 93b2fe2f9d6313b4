import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { statefulIsAuthorized } from '@cedar-policy/cedar-wasm/nodejs';
import { decideTable } from '../../src/auth/policy/decide.ts';
import { explainTable } from '../../src/auth/policy/explain.ts';
import { decideNamespace } from '../../src/auth/policy/namespaces.ts';
import { askCedar, type CedarRequest, type Slice } from '../../src/auth/policy/preparsed.ts';
import { isServiceError } from '../../src/core/errors.ts';
import { bind, decide, everything, facts, load, shown, user } from './policy-samples.ts';

const flights = facts('silver.flights', { origin: {}, delay: {}, phone: { tags: ['pii'] } });
const nested = facts('silver.people', {
  id: {},
  home: {},
  'home.zip': {},
  'home.street': {},
  tags: {},
  'tags.element': {},
});
const ann = user('ann', ['analysts']);

describe('decisions about a table', () => {
  test('nothing is permitted by default, and what is not permitted does not exist', () => {
    const decision = decide('', ann, flights);
    assert.equal(decision.visible, false);
    assert.equal(decision.actions.size, 0);
    assert.deepEqual(shown(decision, flights), {});
    assert.deepEqual(decision.rowFilter, { kind: 'false' });
    assert.equal(decision.restricted, true);
  });

  test('the team admin may do everything, unrestricted, unless a policy forbids it', () => {
    const decision = decide('', user('root', ['admin']), flights);
    assert.equal(decision.actions.size, 8);
    assert.equal(decision.restricted, false);
    assert.equal(decision.rowFilter, null);
    assert.deepEqual(shown(decision, flights), { origin: 'raw', delay: 'raw', phone: 'raw' });
    assert.deepEqual(decision.determinedBy, ['builtin:admin']);
    const text = 'forbid (principal, action == Action::"readColumn", resource == Column::"silver.flights.phone");';
    assert.deepEqual(shown(decide(text, user('root', ['admin']), flights), flights), { origin: 'raw', delay: 'raw' });
    assert.equal(decide('', user('admin'), flights).visible, false, 'a user called admin is not in the team');
  });

  test('users, teams, workloads and engines are principals', () => {
    const policies = `
      permit (principal == User::"ann", action == Action::"discover", resource);
      permit (principal in Team::"analysts", action == Action::"write", resource);
      permit (principal == Workload::"train", action == Action::"readTable", resource);
      permit (principal in Engine::"trino", action == Action::"readThroughEngine", resource);`;
    const actions = (principal = ann) => [...decide(policies, principal, flights).actions].sort();
    assert.deepEqual(actions(), ['discover', 'write']);
    assert.deepEqual(actions(user('bob')), []);
    assert.deepEqual(actions(user('bob', [], { workload: 'train' })), ['readTable']);
    assert.deepEqual(actions(user('bob', [], { engine: 'trino' })), ['readThroughEngine']);
    assert.deepEqual(actions(user('bob', ['train', 'trino', 'ann'])), [], 'a team is no workload, engine or user');
  });

  test('any action on a table makes it visible', () => {
    for (const action of ['discover', 'write', 'maintain', 'lease', 'administer', 'promote', 'readThroughEngine']) {
      assert.equal(decide(`permit (principal, action == Action::"${action}", resource);`, ann, flights).visible, true);
    }
    assert.equal(decide('permit (principal, action == Action::"readColumn", resource);', ann, flights).visible, false);
  });

  test('scopes: table, namespace, outer namespace, and no other', () => {
    const table = facts('lake.silver.flights', { a: {} });
    const visible = (scope: string) =>
      decide(`permit (principal, action == Action::"discover", resource ${scope});`, ann, table).visible;
    for (const scope of [
      '',
      '== Table::"lake.silver.flights"',
      'in Table::"lake.silver.flights"',
      'in Namespace::"lake.silver"',
      'in Namespace::"lake"',
      'is Table',
      'is Table in Namespace::"lake"',
    ]) {
      assert.equal(visible(scope), true, scope);
    }
    for (const scope of [
      '== Table::"silver.flights"',
      'in Namespace::"silver"',
      'in Namespace::"lake.gold"',
      'in Namespace::"lak"',
    ]) {
      assert.equal(visible(scope), false, scope);
    }
  });

  test('tags and layers of tables, namespaces and columns decide', () => {
    const gold = facts('gold.t', { a: {}, b: { tags: ['pii', 'x'] } }, { layer: 'gold', tags: ['shared'] });
    const policies = `
      permit (principal, action == Action::"readTable", resource) when { resource.layer == "gold" && resource.tags.contains("shared") };
      permit (principal, action == Action::"readColumn", resource) unless { resource.tags.contains("pii") };`;
    assert.deepEqual(shown(decide(policies, ann, gold), gold), { a: 'raw' });
    assert.equal(decide(policies, ann, gold).visible, true);
    assert.equal(decide(policies, ann, flights).visible, false);
  });

  test('a table without a layer has the layer ""', () => {
    assert.equal(
      decide('permit (principal, action == Action::"discover", resource) when { resource.layer == "" };', ann, flights)
        .visible,
      true,
    );
  });

  describe('restricted', () => {
    const restricted = (text: string, table = flights) => decide(text, ann, table).restricted;
    test('only who reads every field raw in every row is unrestricted', () => {
      assert.equal(restricted(everything), false);
      assert.equal(
        restricted(
          `${everything}forbid (principal, action == Action::"readColumn", resource == Column::"silver.flights.phone");`,
        ),
        true,
      );
      assert.equal(restricted('permit (principal, action == Action::"readColumn", resource);'), true, 'no readTable');
      assert.equal(restricted('permit (principal, action == Action::"readTable", resource);'), true, 'no readColumn');
      assert.equal(
        restricted(
          '@filter("delay > 1") permit (principal, action == Action::"readTable", resource); permit (principal, action == Action::"readColumn", resource);',
        ),
        true,
      );
      assert.equal(
        restricted(
          'permit (principal, action == Action::"readTable", resource); @mask("show-last-4") permit (principal, action == Action::"readColumn", resource);',
        ),
        true,
      );
    });
    test('a dropped column counts', () => {
      const table = facts('silver.flights', { a: {}, gone: { current: false, tags: ['pii'] } });
      const text =
        'permit (principal, action == Action::"readTable", resource); permit (principal, action == Action::"readColumn", resource) unless { resource.tags.contains("pii") };';
      assert.equal(restricted(text, table), true);
    });
    test('a filter beside a permit without one restricts nothing', () => {
      assert.equal(
        restricted(`${everything}@filter("delay > 1") permit (principal, action == Action::"readTable", resource);`),
        false,
      );
    });
  });

  describe('masks', () => {
    const masked = (...masks: string[]) =>
      masks.map((mask) => `@mask("${mask}") permit (principal, action == Action::"readColumn", resource);`).join('\n');
    const phone = (text: string) => shown(decide(text, ann, flights), flights).phone;

    test('a mask shows what it shows, and a raw permit wins over it', () => {
      assert.equal(phone(masked('show-last-4')), 'show-last-4');
      assert.equal(
        phone(`${masked('show-last-4')} permit (principal, action == Action::"readColumn", resource);`),
        'raw',
      );
    });
    test('of several masks the least restrictive shows', () => {
      const order = [
        'truncate-to-month',
        'truncate-to-year',
        'show-first-4',
        'show-last-4',
        'mask-alphanum',
        'apply-transform:bucket[16]',
        'sha-256-global',
        'sha-256-query-local',
        'mask-to-default',
        'replace-with-null',
      ];
      for (let at = 0; at < order.length; at++) {
        assert.equal(phone(masked(...order.slice(at).reverse())), order[at]);
      }
    });
    test('two of equal rank that differ show nothing', () => {
      assert.equal(phone(masked('apply-transform:bucket[16]', 'apply-transform:bucket[8]')), 'replace-with-null');
      assert.equal(
        phone(masked('apply-transform:bucket[16]', 'apply-transform:bucket[16]')),
        'apply-transform:bucket[16]',
      );
      assert.equal(
        phone(masked('apply-transform:bucket[16]', 'apply-transform:bucket[8]', 'show-last-4')),
        'show-last-4',
      );
    });
    test('a forbid wins over every permit', () => {
      assert.equal(
        phone(
          `${everything}${masked('show-last-4')} forbid (principal, action == Action::"readColumn", resource) when { resource.tags.contains("pii") };`,
        ),
        undefined,
      );
    });
    test('tagged columns are masked as the documents say', () => {
      const text = `
        permit (principal, action == Action::"readTable", resource);
        permit (principal, action == Action::"readColumn", resource) unless { resource.tags.contains("pii") };
        @mask("sha-256-global") permit (principal, action == Action::"readColumn", resource) when { resource.tags.contains("pii") };`;
      assert.deepEqual(shown(decide(text, ann, flights), flights), {
        origin: 'raw',
        delay: 'raw',
        phone: 'sha-256-global',
      });
    });
  });

  describe('row filters', () => {
    const compare = (fieldId: number, text: string) => ({
      kind: 'compare',
      op: '=',
      term: { kind: 'field', fieldId },
      literal: { kind: 'string', value: text },
    });
    const filter = (text: string, principal = ann, table = flights) => decide(text, principal, table).rowFilter;
    test('name fields by id', () => {
      assert.deepEqual(
        filter(`@filter("origin = 'SEA'") permit (principal, action == Action::"readTable", resource);`),
        compare(1, 'SEA'),
      );
    });
    test('add up over the permits that hold, whatever their order', () => {
      const [a, b] = ['@filter("origin = \'SEA\'")', '@filter("origin = \'SFO\'")'].map(
        (one) => `${one} permit (principal, action == Action::"readTable", resource);`,
      );
      assert.deepEqual(filter(`${a}${b}`), { kind: 'or', of: [compare(1, 'SEA'), compare(1, 'SFO')] });
      assert.deepEqual(decide(`${a}${b}`, ann, flights).digest, decide(`${b}${a}`, ann, flights).digest);
      assert.deepEqual(filter(`${a}${a}`), compare(1, 'SEA'));
    });
    test('use the claims of the caller, and admit no row where one is missing', () => {
      const text =
        '@filter("origin = principal.claims.airport") permit (principal, action == Action::"readTable", resource);';
      assert.deepEqual(filter(text, user('ann', [], { claims: new Map([['airport', 'SEA']]) })), compare(1, 'SEA'));
      assert.deepEqual(filter(text), { kind: 'false' });
      assert.deepEqual(
        filter(`${text}@filter("origin = 'SFO'") permit (principal, action == Action::"readTable", resource);`),
        compare(1, 'SFO'),
      );
    });
    test('admit no row where their column is not in the table, even under NOT', () => {
      for (const text of ["nope = 'x'", "NOT (nope = 'x')", "nope IS NULL OR origin = 'SEA'"]) {
        assert.deepEqual(filter(`@filter("${text}") permit (principal, action == Action::"readTable", resource);`), {
          kind: 'false',
        });
      }
    });
    test('hold nothing where readTable is forbidden', () => {
      const text = `${everything}forbid (principal, action == Action::"readTable", resource);`;
      assert.deepEqual(filter(text), { kind: 'false' });
      assert.equal(decide(text, ann, flights).actions.has('readTable'), false);
    });
  });

  describe('nested columns', () => {
    const columns = (text: string, table = nested) => shown(decide(text, ann, table), table);
    const permit = (scope: string, rest = ';') =>
      `permit (principal, action == Action::"readColumn", resource ${scope})${rest}\n`;

    test('a permitted leaf brings its containers and no sibling', () => {
      assert.deepEqual(columns(permit('== Column::"silver.people.home.zip"')), { home: 'raw', 'home.zip': 'raw' });
    });
    test('naming a container names all below it, however it is compared', () => {
      const all = { home: 'raw', 'home.zip': 'raw', 'home.street': 'raw' };
      assert.deepEqual(columns(permit('== Column::"silver.people.home"')), all);
      assert.deepEqual(columns(permit('in Column::"silver.people.home"')), all);
      assert.deepEqual(columns(permit('', ' when { resource == Column::"silver.people.home" };')), all);
      assert.deepEqual(columns(permit('', ' when { [Column::"silver.people.home"].contains(resource) };')), all);
      for (const not of [
        'unless { resource == Column::"silver.people.home" }',
        'when { resource != Column::"silver.people.home" }',
        'unless { [Column::"silver.people.home"].contains(resource) }',
        'unless { resource in [Column::"silver.people.home", Column::"silver.people.id"] }',
      ]) {
        assert.deepEqual('home.zip' in columns(permit('', ` ${not};`)), false, not);
        assert.deepEqual('tags.element' in columns(permit('', ` ${not};`)), true, not);
      }
    });
    test('a forbid on a container holds for all below it', () => {
      const forbid = 'forbid (principal, action == Action::"readColumn", resource == Column::"silver.people.home");';
      assert.deepEqual(columns(everything + forbid), { id: 'raw', tags: 'raw', 'tags.element': 'raw' });
      assert.deepEqual(columns(permit('== Column::"silver.people.home.zip"') + forbid), {});
      const table = facts('silver.people', { id: { tags: ['open'] }, home: {}, 'home.zip': { tags: ['open'] } });
      const closed =
        'forbid (principal, action == Action::"readColumn", resource) unless { resource.tags.contains("open") };';
      assert.deepEqual(columns(everything + closed, table), { id: 'raw' });
    });
    test('a forbid on a leaf leaves its siblings', () => {
      const forbid =
        'forbid (principal, action == Action::"readColumn", resource == Column::"silver.people.home.zip");';
      assert.deepEqual(columns(everything + forbid), {
        id: 'raw',
        home: 'raw',
        'home.street': 'raw',
        tags: 'raw',
        'tags.element': 'raw',
      });
    });
    test('a mask lies on leaves, and a container’s tags hold for them', () => {
      const table = facts('silver.people', { id: {}, home: { tags: ['pii'] }, 'home.zip': {} });
      const text = `${permit('', ' unless { resource.tags.contains("pii") };')}@mask("show-first-4") ${permit('', ' when { resource.tags.contains("pii") };')}`;
      assert.deepEqual(columns(text, table), { id: 'raw', home: 'raw', 'home.zip': 'show-first-4' });
    });
  });

  describe('what cannot be decided is denied', () => {
    const unavailable = (error: unknown): boolean => isServiceError(error, 'POLICY_UNAVAILABLE');
    const erroring = `${everything}@id("broken") forbid (principal, action, resource) when { 9223372036854775807 + 1 > 0 };`;

    test('a forbid whose condition fails', () => {
      assert.throws(() => decide(erroring, ann, flights), unavailable);
    });
    test('control: Cedar itself would allow', () => {
      const forgetful = (slice: Slice, request: CedarRequest) => {
        try {
          return askCedar(slice, request);
        } catch (error) {
          const broken = new Map([...slice.policies].filter(([id]) => id !== 'broken'));
          assert.ok(isServiceError(error, 'POLICY_UNAVAILABLE'));
          return broken.size === 0
            ? { allowed: false, reasons: [] }
            : askCedar({ key: `${slice.key} forgetful`, policies: broken }, request);
        }
      };
      assert.equal(decideTable(bind(erroring, [flights]), ann, flights, forgetful).restricted, false);
    });
    test('an entity that is not passed whole', () => {
      const bound = bind(everything, [flights]);
      const without = (change: (request: CedarRequest) => CedarRequest) => () =>
        decideTable(bound, ann, flights, (slice, request) => askCedar(slice, change(request)));
      assert.throws(
        without((request) => ({ ...request, entities: request.entities.map((entity) => ({ ...entity, attrs: {} })) })),
        unavailable,
      );
      assert.throws(
        without((request) => ({ ...request, resource: { type: 'Nothing', id: 'x' } })),
        unavailable,
      );
      assert.throws(
        without((request) => ({ ...request, action: 'unknown' })),
        unavailable,
      );
      assert.throws(
        without((request) => ({
          ...request,
          entities: [...request.entities, { uid: { type: 'Team', id: 'x' }, attrs: { rank: 1 }, parents: [] }],
        })),
        unavailable,
      );
      assert.doesNotThrow(
        without((request) => request),
        'control',
      );
    });
    test('a name that was never looked up', () => {
      const text = `${everything}forbid (principal, action == Action::"readColumn", resource == Column::"silver.flights.phone");`;
      const unbound = { set: load(text), bindings: new Map() };
      assert.throws(() => decideTable(unbound, ann, flights), unavailable);
    });
    test('control: the library is the one that fails open', () => {
      const answer = statefulIsAuthorized({
        principal: { type: 'User', id: 'a' },
        action: { type: 'Action', id: 'x' },
        resource: { type: 'Table', id: 't' },
        context: {},
        entities: [],
        preparsedPolicySetId: 'never made',
      });
      assert.equal(answer.type, 'failure');
    });
  });

  test('the digest is stable and tells decisions apart, not principals or versions', () => {
    const one = decide(everything, ann, flights);
    assert.equal(one.digest, decide(`// edited\n${everything}`, user('bob', ['x']), flights).digest);
    assert.match(one.digest, /^[0-9a-f]{64}$/);
    const others = [
      decide('', ann, flights),
      decide(
        `${everything}forbid (principal, action == Action::"readColumn", resource == Column::"silver.flights.phone");`,
        ann,
        flights,
      ),
      decide(`${everything}permit (principal, action == Action::"write", resource);`, ann, flights),
      decide(everything, ann, { ...flights, uuid: nested.uuid }),
    ];
    assert.equal(new Set([one, ...others].map(({ digest }) => digest)).size, others.length + 1);
  });

  test('names with quotes, dots and other scripts', () => {
    const table = facts('silver.odd', { '"a.b"': {}, größe: {}, '"x""y"': {} });
    const text = (path: string) =>
      `permit (principal, action == Action::"readColumn", resource == Column::${JSON.stringify(`silver.odd.${path}`)});`;
    for (const { path } of table.columns)
      assert.deepEqual(shown(decide(text(path), user('Ω "x"', ['t,"']), table), table), { [path]: 'raw' });
  });

  test('explain names the policies behind every column, action and row filter', () => {
    const text = `
      @id("rows") @filter("delay > 1") permit (principal, action == Action::"readTable", resource);
      @id("raw") permit (principal, action == Action::"readColumn", resource) unless { resource.tags.contains("pii") };
      @id("masked") @mask("show-last-4") permit (principal, action == Action::"readColumn", resource) when { resource.tags.contains("pii") };
      @id("no-origin") forbid (principal, action == Action::"readColumn", resource == Column::"silver.flights.origin");`;
    const explained = explainTable(bind(text, [flights]), ann, flights);
    assert.deepEqual(
      explained.columns.map(({ path, access, permittedBy, forbiddenBy }) => [
        path,
        access.kind,
        permittedBy,
        forbiddenBy,
      ]),
      [
        ['origin', 'excluded', [], ['no-origin']],
        ['delay', 'raw', ['raw'], []],
        ['phone', 'masked', ['masked'], []],
      ],
    );
    assert.deepEqual(
      explained.rowFilters.map(({ policy }) => policy),
      ['rows'],
    );
    assert.deepEqual(
      explained.actions.find(({ action }) => action === 'readTable'),
      { action: 'readTable', permitted: true, by: ['rows'] },
    );
    assert.deepEqual(explained.decision.determinedBy, ['masked', 'no-origin', 'raw', 'rows']);
  });

  test('namespaces have actions of their own', () => {
    const set = load(`
      permit (principal, action == Action::"write", resource in Namespace::"bronze");
      forbid (principal, action == Action::"write", resource) when { resource.tags.contains("frozen") };
      permit (principal, action == Action::"readTable", resource in Namespace::"bronze");`);
    const decided = (path: string[], tags: string[] = []) =>
      decideNamespace(set, ann, path, [{ name: 'bronze', layer: null, tags }]);
    const actions = (...given: Parameters<typeof decided>) => [...decided(...given).actions];
    assert.deepEqual(actions(['bronze']), ['write']);
    assert.deepEqual(actions(['bronze', 'new']), ['write']);
    assert.deepEqual(actions(['silver']), []);
    assert.deepEqual(actions(['bronze'], ['frozen']), []);
    assert.equal(decided(['bronze']).determinedBy.length, 1);
    assert.notDeepEqual(decided(['bronze'], ['frozen']).determinedBy, decided(['bronze']).determinedBy);
  });
});
