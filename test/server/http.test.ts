import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InvalidPolicyError } from '../../src/auth/policy/problems.ts';
import { ServiceError } from '../../src/core/errors.ts';
import { type HttpOptions, type HttpServer, startHttp } from '../../src/server/http.ts';
import { createLog } from '../../src/server/telemetry/log.ts';
import { createMetrics } from '../../src/server/telemetry/metrics.ts';

interface Started extends AsyncDisposable {
  readonly server: HttpServer;
  readonly url: string;
  reload(headers: Record<string, string>): Promise<Response>;
  log(): string;
}

async function start(overrides: Partial<HttpOptions> = {}): Promise<Started> {
  const lines: string[] = [];
  const server = await startHttp({
    host: '127.0.0.1',
    port: 0,
    limits: { httpBodyBytesMax: 100, connectionsMax: 50 },
    log: createLog('debug', { write: (line: string) => void lines.push(line) }),
    metrics: createMetrics(10),
    isReady: async () => {},
    authorizeAdmin: async (token) => {
      if (token === null) throw new ServiceError('UNAUTHENTICATED', 'a token is needed');
      if (token !== 'admin') throw new ServiceError('PERMISSION_DENIED', 'administer is not permitted');
    },
    reloadPolicies: async () => ({ version: 'v1', policies: 3 }),
    ...overrides,
  });
  const url = `http://127.0.0.1:${server.port}`;
  return {
    server,
    url,
    reload: (headers) => fetch(`${url}/api/policies/reload`, { method: 'POST', headers }),
    log: () => lines.join(''),
    [Symbol.asyncDispose]: () => server.close(),
  };
}

const admin = { authorization: 'Bearer admin' };

test('health, readiness and metrics answer without a token', async () => {
  await using http = await start();
  assert.equal((await fetch(`${http.url}/healthz`)).status, 200);
  assert.equal((await fetch(`${http.url}/readyz`)).status, 200);
  const metrics = await fetch(`${http.url}/metrics`);
  assert.match(metrics.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
  const text = await metrics.text();
  assert.match(text, /^# TYPE headrace_active_streams gauge$/m);
  assert.match(text, /headrace_http_duration_seconds_count\{route="\/healthz",status="200"\} 1/);
});

test('readiness is 503 while draining and while a dependency is down, and does not say why', async () => {
  let down = true;
  await using http = await start({
    isReady: async () => {
      if (down) throw new Error('canary-path');
    },
  });
  const failing = await fetch(`${http.url}/readyz`);
  assert.equal(failing.status, 503);
  assert.doesNotMatch((await failing.text()) + http.log(), /canary/);
  down = false;
  assert.equal((await fetch(`${http.url}/readyz`)).status, 200);
  http.server.startDraining();
  assert.equal((await fetch(`${http.url}/readyz`)).status, 503);
  assert.equal((await fetch(`${http.url}/healthz`)).status, 200);
});

test('a reload of policies needs administer and gives the new version', async () => {
  await using http = await start();
  const done = await http.reload(admin);
  assert.deepEqual([done.status, await done.json()], [200, { version: 'v1', policies: 3 }]);
  const anonymous = await http.reload({});
  assert.equal(anonymous.status, 401);
  assert.equal(anonymous.headers.get('headrace-error-code'), 'UNAUTHENTICATED');
  assert.equal((await http.reload({ authorization: 'Basic x' })).status, 401);
  const denied = await http.reload({ authorization: 'Bearer someone' });
  assert.equal(denied.status, 403);
  assert.deepEqual(await denied.json(), {
    error: { message: 'administer is not permitted', type: 'PERMISSION_DENIED', code: 403 },
  });
  assert.doesNotMatch(http.log(), /someone/);
});

test('a broken set is 422 with file, line and reason', async () => {
  const problems = [{ file: 'a.cedar', line: 7, policy: null, reason: 'unexpected token' }];
  await using http = await start({
    reloadPolicies: async () => {
      throw new InvalidPolicyError(problems);
    },
  });
  const refused = await http.reload(admin);
  assert.equal(refused.status, 422);
  assert.equal(refused.headers.get('headrace-error-code'), 'INVALID_POLICY');
  const { error } = (await refused.json()) as { error: Record<string, unknown> };
  assert.deepEqual([error.file, error.line, error.reason], ['a.cedar', 7, 'unexpected token']);
});

test('a foreign error is INTERNAL with an id, and its text stays in neither the answer nor the log', async () => {
  await using http = await start({
    reloadPolicies: async () => {
      throw new Error('canary-4711');
    },
  });
  const failed = await http.reload(admin);
  assert.equal(failed.status, 500);
  const text = await failed.text();
  const id = /internal error ([0-9a-f-]{36})/.exec(text)?.[1];
  assert.ok(id);
  assert.ok(http.log().includes(id));
  assert.doesNotMatch(text + http.log(), /canary/);
});

test('the catalog answers 501 in Iceberg’s terms, everything else 404', async () => {
  await using http = await start();
  const paths = ['/catalog', '/catalog?x', '/catalog/v2', '/catalog/v1/config', '/catalog/v1/namespaces/a/tables/b'];
  for (const path of paths) {
    const answer = await fetch(http.url + path);
    assert.equal(answer.status, 501);
    const { error } = (await answer.json()) as { error: Record<string, unknown> };
    assert.deepEqual([error.type, error.code], ['UnsupportedOperationException', 501]);
    assert.equal(answer.headers.get('headrace-error-code'), 'UNSUPPORTED_FEATURE');
  }
  for (const path of ['/', '/api', '/api/policies', '/%2e%2e/etc/passwd', '/catalogue']) {
    const answer = await fetch(http.url + path);
    assert.equal(answer.status, 404);
    assert.equal(answer.headers.get('headrace-error-code'), 'NOT_FOUND');
  }
});

test('an address that cannot be decoded is refused in our own form', async () => {
  await using http = await start();
  for (const [path, type] of [
    ['/%zz', 'INVALID_REQUEST'],
    ['/catalog/v1/%zz', 'BadRequestException'],
  ] as const) {
    const answer = await fetch(http.url + path);
    assert.equal(answer.headers.get('headrace-error-code'), 'INVALID_REQUEST');
    const { error } = (await answer.json()) as { error: Record<string, unknown> };
    assert.deepEqual([answer.status, error.type, error.code], [400, type, 400]);
  }
});

test('a reload takes any body or none, up to the limit', async () => {
  await using http = await start();
  const post = (body: string, type: string) =>
    fetch(`${http.url}/api/policies/reload`, {
      method: 'POST',
      body: new TextEncoder().encode(body),
      headers: { ...admin, ...(type !== '' && { 'content-type': type }) },
    });
  const large = await post('"'.padEnd(200, 'x'), 'application/json');
  assert.equal(large.headers.get('headrace-error-code'), 'LIMIT_EXCEEDED');
  assert.equal(large.status, 429);
  for (const [body, type] of [
    ['', 'application/json'],
    ['{', 'application/json'],
    ['x', 'application/unknown'],
    ['x', ''],
  ] as const) {
    assert.equal((await post(body, type)).status, 200, `${type} ${body}`);
  }
});
