import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { loadPolicies } from '../../src/auth/policy/load.ts';
import { isServiceError } from '../../src/core/errors.ts';
import { load, refusals } from './policy-samples.ts';

describe('loading policies', () => {
  test('the built-in policy is always there', () => {
    assert.deepEqual(
      loadPolicies([]).policies.map((policy) => policy.id),
      ['builtin:admin'],
    );
  });

  test('policies are called by their @id, or by file and place, and keep the order of the file', () => {
    const text = Array.from({ length: 12 }, (_, n) => `permit (principal == User::"u${n}", action, resource);`);
    text[3] = `@id("third") ${text[3]}`;
    const set = load(['// permit (principal == User::"u0", action, resource);', ...text].join('\n'), 'many.cedar');
    const ids = set.policies.slice(1).map((policy) => policy.id);
    assert.deepEqual(
      ids,
      text.map((_, n) => (n === 3 ? 'third' : `many.cedar#${n + 1}`)),
    );
    assert.deepEqual(
      set.policies.slice(1).map((policy) => policy.line),
      text.map((_, n) => n + 2),
    );
  });

  test('every problem of every file is reported with file and line', () => {
    const files = [
      { name: 'a.cedar', text: '\n\npermit (principal, actoin, resource);' },
      {
        name: 'b.cedar',
        text: 'permit (principal, action, resource);\n@msk("x")\npermit (principal, action, resource);',
      },
      { name: 'c.cedar', text: 'permit (principal, action, resource)\nwhen {\n  resource.foo\n};' },
    ];
    assert.throws(
      () => loadPolicies(files),
      (error) => {
        assert.ok(isServiceError(error, 'INVALID_POLICY'));
        assert.match(error.message, /a\.cedar:3: .*actoin/);
        assert.match(error.message, /b\.cedar:2: @msk is not an annotation that Headrace knows\. Did you mean mask\?/);
        assert.match(error.message, /c\.cedar:3: .*foo/);
        return true;
      },
    );
  });

  const refused: readonly (readonly [string, string, RegExp])[] = [
    [
      'an unknown annotation',
      '@msk("show-last-4") permit (principal, action == Action::"readColumn", resource);',
      /@msk/,
    ],
    ['an unknown mask', '@mask("blur") permit (principal, action == Action::"readColumn", resource);', /not a mask/],
    [
      'a mask that shows everything',
      '@mask("apply-transform:identity") permit (principal, action == Action::"readColumn", resource);',
      /not a mask/,
    ],
    [
      'a mask on another action',
      '@mask("show-last-4") permit (principal, action == Action::"readTable", resource);',
      /readColumn/,
    ],
    ['a mask on all actions', '@mask("show-last-4") permit (principal, action, resource);', /readColumn/],
    [
      'a mask on a forbid',
      '@mask("show-last-4") forbid (principal, action == Action::"readColumn", resource);',
      /permit/,
    ],
    ['a filter on a forbid', '@filter("a = 1") forbid (principal, action == Action::"readTable", resource);', /permit/],
    [
      'a filter on columns',
      '@filter("a = 1") permit (principal, action == Action::"readColumn", resource);',
      /not supported by this release/,
    ],
    [
      'a filter on columns too',
      '@filter("a = 1") permit (principal, action in [Action::"readColumn", Action::"readTable"], resource);',
      /not supported/,
    ],
    ['a filter on writing', '@filter("a = 1") permit (principal, action == Action::"write", resource);', /readTable/],
    [
      'a filter that cannot be read',
      '@filter("a = ") permit (principal, action == Action::"readTable", resource);',
      /@filter cannot be read/,
    ],
    ['an empty filter', '@filter permit (principal, action == Action::"readTable", resource);', /@filter/],
    ['an unknown action', 'permit (principal, action == Action::"read", resource);', /read/],
    ['an unknown entity type', 'permit (principal in Group::"x", action, resource);', /Group/],
    ['a team as the principal', 'permit (principal == Team::"x", action, resource);', /`in`/],
    ['an impossible condition', 'forbid (principal, action, resource) when { false };', /impossible/],
    ['an unknown attribute', 'permit (principal, action, resource) when { resource.owner == "x" };', /owner/],
    ['a principal attribute', 'permit (principal, action, resource) when { principal.claims.x == "x" };', /claims/],
    ['a template', 'permit (principal == ?principal, action, resource);', /templates/],
    [
      'an id twice',
      '@id("a") permit (principal, action, resource); @id("a") forbid (principal, action, resource);',
      /already/,
    ],
    [
      'a bad column name',
      'permit (principal, action == Action::"readColumn", resource == Column::"t.a");',
      /namespace\.table\.column/,
    ],
    [
      'an attribute of another entity',
      'forbid (principal, action, resource) when { Table::"s.t".layer == "x" };',
      /principal and resource only/,
    ],
    [
      'a membership of another entity',
      'forbid (principal, action, resource) when { User::"a" in Team::"x" };',
      /principal and resource only/,
    ],
    [
      'a column in a place where it cannot be followed',
      'permit (principal, action == Action::"readColumn", resource) when { [resource].contains(Column::"s.t.a") };',
      /may be named only as/,
    ],
    ['a file that is no text', '\u0000', /./],
    ['an unclosed policy', 'permit (principal, action, resource)', /./],
  ];
  for (const [name, text, reason] of refused) {
    test(`${name} is refused`, () => {
      const reasons = refusals(text);
      assert.ok(reasons.length > 0, 'accepted');
      assert.match(reasons.join('\n'), reason);
    });
  }

  const accepted: readonly (readonly [string, string])[] = [
    ['informational annotations', '@id("x") @description("y") @advice("z") permit (principal, action, resource);'],
    [
      'tags without asking whether there are any',
      'forbid (principal, action, resource) when { resource.tags.contains("pii") };',
    ],
    ['layers', 'permit (principal, action, resource) when { resource.layer == "gold" };'],
    [
      'a mask with a transform',
      '@mask("apply-transform:bucket[16]") permit (principal, action == Action::"readColumn", resource);',
    ],
    [
      'a filter by claims',
      `@filter("region = principal.claims.region AND x IN ('a','b')") permit (principal, action == Action::"readTable", resource);`,
    ],
    ['a workload as the principal', 'permit (principal == Workload::"w", action, resource);'],
    ['namespaces', 'permit (principal, action, resource in Namespace::"silver");'],
    [
      'lists of columns',
      'permit (principal, action == Action::"readColumn", resource) when { [Column::"s.t.a", Column::"s.t.b"].contains(resource) };',
    ],
    ['quoted parts', 'permit (principal, action == Action::"readColumn", resource == Column::"s.t.\\"a.b\\".c");'],
    ['an empty file', ''],
    ['comments only', '// nothing\n'],
  ];
  for (const [name, text] of accepted) test(`${name}: accepted`, () => assert.deepEqual(refusals(text), []));

  test('limits hold', () => {
    const limits = {
      policyFilesMax: 2,
      policyBytesMax: 100,
      policiesMax: 3,
      filterCharsMax: 10,
      filterDepthMax: 5,
      filterNodesMax: 5,
    };
    const file = (name: string, text: string) => ({ name, text });
    assert.throws(
      () => loadPolicies([file('a', ''), file('b', ''), file('c', '')], limits),
      /more than 2 policy files/,
    );
    assert.throws(() => loadPolicies([file('a', 'x'.repeat(101))], limits), /more than 100 bytes/);
    const one = 'permit(principal,action,resource);';
    assert.throws(() => loadPolicies([file('a', one.repeat(2)), file('b', one)], limits), /more than 3 policies/);
  });

  test('deep nesting of every kind is refused, and leaves Cedar as it was', () => {
    for (const n of [100, 300, 1_000, 25_000]) {
      const bodies = [
        `${'!('.repeat(n)}true${')'.repeat(n)}`,
        `${'('.repeat(n)}true${')'.repeat(n)}`,
        `${'['.repeat(n)}${']'.repeat(n)} == []`,
        '('.repeat(n),
        Array(n).fill('resource.layer == "x"').join(' || '),
        `${'if resource.layer == "x" then true else '.repeat(n)}true`,
        `1${' + 1'.repeat(n)} > 0`,
        `resource${'.a'.repeat(n)}`,
      ];
      for (const body of bodies) {
        assert.match(refusals(`permit (principal, action, resource) when { ${body} };`).join(), /inside each other/);
      }
    }
    assert.deepEqual(refusals('permit (principal, action, resource) when { resource.layer == "gold" };'), []);
  });

  test('a long list, and many policies, are not deep', () => {
    const tags = Array.from({ length: 2_000 }, (_, n) => `"tag-${n}"`).join(', ');
    const or = Array(20).fill('resource.tags.contains("a")').join(' || ');
    const many = `permit (principal in Team::"a", action, resource) when { ${or} };\n`.repeat(50);
    assert.deepEqual(
      refusals(`permit (principal, action, resource) when { [${tags}].containsAny(resource.tags) };\n${many}`),
      [],
    );
  });
});
