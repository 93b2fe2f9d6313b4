import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openWorkspace } from './workspace.ts';

const claimsOf = (token: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString('utf8'));

test('a token is printed bare, or with its id and expiry as JSON', async () => {
  await using workspace = await openWorkspace();
  const bare = await workspace.cli('token', '--principal', 'ana', '--teams', 'analysts, eu');
  assert.equal(bare.code, 0, bare.stderr);
  assert.match(bare.stdout, /^[\w-]+\.[\w-]+\.[\w-]+\n$/);
  const claims = claimsOf(bare.stdout.trim());
  assert.deepEqual([claims.sub, claims.teams, claims.workload], ['ana', ['analysts', 'eu'], undefined]);

  const flags = [
    '--workload',
    'fraud-train',
    '--engine',
    'spark',
    '--claim',
    'clearance=3',
    '--claim',
    'region="EU"',
    '--ttl',
    '10m',
  ];
  const issued = await workspace.json('token', '--principal', 'bo', ...flags);
  const full = claimsOf(issued.token as string);
  assert.deepEqual([full.workload, full.engine, full.clearance, full.region], ['fraud-train', 'spark', 3, 'EU']);
  assert.equal(issued.jti, full.jti);
  const lifetimeMs = Date.parse(issued.expires_at as string) - Date.now();
  assert.ok(lifetimeMs > 540_000 && lifetimeMs <= 600_000, `${lifetimeMs}`);
  assert.deepEqual(await workspace.json('token', 'revoke', issued.jti as string), { revoked: { jti: issued.jti } });
  assert.deepEqual(await workspace.json('token', 'revoke', '--principal', 'ana'), { revoked: { principal: 'ana' } });
});

test('wrong token requests are told apart by exit code', async () => {
  await using workspace = await openWorkspace();
  const [nobody, both, claim, ttl] = await Promise.all([
    workspace.refused(2, 'token'),
    workspace.refused(2, 'token', 'revoke', 'x', '--principal', 'ana'),
    workspace.refused(2, 'token', '--principal', 'ana', '--claim', 'region=EU'),
    workspace.refused(2, 'token', '--principal', 'ana', '--ttl', '5'),
  ]);
  assert.match(nobody.message, /needs --principal/);
  assert.match(both.message, /either the id of a token/);
  assert.match(claim.message, /not JSON: text needs quotes/);
  assert.match(ttl.message, /90s, 1h or 7d/);
  const reserved = await workspace.refused(3, 'token', '--principal', 'ana', '--claim', 'sub="bo"');
  assert.equal(reserved.code, 'INVALID_REQUEST');
});
