/** The data port as other languages' Flight clients see it, and its HTTP/2 as h2spec does. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { startToy, type ToyOptions } from '../server/data-plane/toy.ts';
import { toyMessages } from '../server/flight/toy.ts';
import { makeTlsFiles } from '../support/certificates.ts';
import { startServer, type TestServer } from '../support/server.ts';
import { buildFlightClient, type FlightClient, type Refused, type SeenStream } from './flight-client.ts';

const run = promisify(execFile);
const build = join(import.meta.dirname, '../../build/interop');
const buildTimeoutMs = 15 * 60_000;

let server: TestServer;
let token: string;
let gopher: FlightClient;

before(async () => {
  gopher = await buildFlightClient();
  server = await startServer();
  assert.equal((await server.cli('create-namespace', 'lake')).code, 0);
  token = await server.token('visitor', ['admin']);
});

after(async () => {
  await server?.[Symbol.asyncDispose]();
  await gopher?.[Symbol.asyncDispose]();
});

const atData = <Seen>(scenario: string, input: object): Promise<Seen> =>
  gopher.run(scenario, { uri: `grpc+tcp://127.0.0.1:${server.data}`, token, ...input });

test('arrow-go writes, exchanges and is refused at the data port', async () => {
  const create = { table: 'lake.gone', mode: 'create' };
  const put = await atData<{ readonly results: readonly object[]; readonly rows: SeenStream['rows'] }>('put', {
    request: create,
    rows: 5_000,
    batchRows: 700,
    show: true,
  });
  assert.equal(put.results.length, 1);
  const stream = await atData<SeenStream>('exchange', { request: { table: 'lake.gone' } });
  assert.deepEqual(
    stream.rows.toSorted((a, b) => Number(a.id) - Number(b.id)),
    put.rows,
  );
  const refused = async (scenario: string, input: object): Promise<Refused> =>
    (await atData<{ readonly refused: Refused }>(scenario, input)).refused;
  assert.equal((await refused('put', { request: create, rows: 10, batchRows: 10 })).code, 'AlreadyExists');
  assert.equal((await refused('exchange', { request: { table: 'lake.absent' } })).code, 'NotFound');
  const elsewhere = await refused('plan', { request: { table: 'lake.gone' } });
  assert.equal(elsewhere.code, 'Unimplemented');
  assert.match(elsewhere.message, new RegExp(`GetFlightInfo is served on the control port, ${server.flight}`));
});

test('Arrow Java writes, reads, exchanges, cancels, runs out of time and is refused at the data port', async () => {
  const project = join(import.meta.dirname, 'flight-java');
  const classpath = join(build, 'flight-java/classpath');
  const goals = ['compile', 'dependency:build-classpath', `-Dmdep.outputFile=${classpath}`];
  await run('mvn', ['--quiet', '--batch-mode', ...goals], { cwd: project, timeout: buildTimeoutMs });
  const path = `${join(build, 'flight-java/classes')}:${(await readFile(classpath, 'utf8')).trim()}`;
  const uri = (port: number): string => `grpc+tcp://127.0.0.1:${port}`;
  const { stdout } = await run(
    'java',
    [
      '--add-opens=java.base/java.nio=ALL-UNNAMED',
      '--class-path',
      path,
      'FlightJava',
      uri(server.flight),
      uri(server.data),
      token,
      'lake.java',
    ],
    { timeout: 120_000 },
  );
  const seen = JSON.parse(stdout) as Record<string, string>;
  const rows = 1_000_000;
  const all = `${rows} rows, sum ${(rows * (rows - 1)) / 2}`;
  const { rows: written } = JSON.parse(seen.put!) as { readonly rows: number };
  assert.equal(written, rows);
  assert.match(seen.putAgain!, /^ALREADY_EXISTS ALREADY_EXISTS ALREADY_EXISTS: /);
  assert.match(seen.stranger!, /^UNAUTHENTICATED UNAUTHENTICATED UNAUTHENTICATED: /);
  assert.deepEqual([seen.read, seen.exchange, seen.readAgain], [all, all, all]);
  assert.match(seen.cancel!, /^CANCELLED|^ended/);
  assert.match(seen.late!, /^TIMED_OUT /);
  assert.match(seen.wrongPort!, /^UNIMPLEMENTED UNSUPPORTED_FEATURE UNSUPPORTED_FEATURE: GetFlightInfo is served on/);
});

/**
 * What h2spec asks for and Node's HTTP/2 library, nghttp2, does otherwise: each by the section and the test's own words. None is the
 * data plane's to change.
 */
const otherwise: Readonly<Record<string, string>> = {
  'http2/5.1 half closed (remote): Sends a DATA frame': 'where the answer came first, the stream is closed: see below',
  'http2/5.1 half closed (remote): Sends a HEADERS frame': 'the same',
  'http2/6.1 Sends a DATA frame on the stream that is not in "open" or "half-closed (local)" state': 'the same',
  'http2/5.1 closed: Sends a DATA frame after sending RST_STREAM frame': 'frames of a closed stream are ignored',
  'http2/5.1 closed: Sends a HEADERS frame after sending RST_STREAM frame': 'the answer was sent before the reset came',
  'http2/5.1 closed: Sends a DATA frame': 'frames of a closed stream are ignored',
  'http2/5.1 closed: Sends a HEADERS frame': 'frames of a closed stream are ignored',
  'http2/5.1.1 Sends stream identifier that is numerically smaller than previous':
    'such a stream counts as closed, and its frames are ignored',
  'http2/5.1.2 Sends HEADERS frames that causes their advertised concurrent stream limit to be exceeded':
    'calls without a body are answered at once, so that the limit is never reached',
  'http2/5.3.1 Sends PRIORITY frame that depend on itself': 'RFC 9113 has no priorities any more: the frame is ignored',
  'http2/6.3 Sends a PRIORITY frame with 0x0 stream identifier': 'the same',
  'http2/6.7 Sends a PING frame with ACK': 'Node ends a connection that answers a PING which was not sent',
  'http2/6.9.1 Sends multiple WINDOW_UPDATE frames increasing the flow control window to above 2^31-1 on a stream':
    'the stream is closed already: the connection is ended',
};
const h2specCases = 140;

/** The failed cases of an h2spec run, and how many ran. */
async function h2spec(options: ToyOptions, flags: readonly string[]) {
  await using toy = await startToy(
    {
      async *doGet() {
        yield* toyMessages(5);
      },
    },
    options,
  );
  const folder = await mkdtemp(join(tmpdir(), 'headrace-h2spec-'));
  try {
    const report = join(folder, 'report.xml');
    const target = [
      '--host',
      '127.0.0.1',
      '--port',
      String(toy.port),
      '--path',
      '/arrow.flight.protocol.FlightService/DoGet',
    ];
    const command = ['tool', 'h2spec', '--strict', '--timeout', '3', '--junit-report', report, ...target, ...flags];
    // Its status tells that a case failed: the report says which.
    await run('go', command, { cwd: join(import.meta.dirname, 'h2spec'), timeout: buildTimeoutMs }).catch((error) => {
      if (error.code !== 1) throw error;
    });
    const xml = await readFile(report, 'utf8');
    const cases = [...xml.matchAll(/<testcase package="([^"]*)" classname="([^"]*)"[^>]*>([\s\S]*?)<\/testcase>/g)];
    const failed = cases.filter(([, , , content]) => /<(failure|error)\b/.test(content!));
    return {
      ran: cases.length,
      failed: failed.map(([, section, name]) => `${section} ${name!.replaceAll('&#34;', '"')}`),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

for (const [name, options, flags] of [
  ['plain text', () => ({}), []],
  ['TLS', () => ({ tls: { ...makeTlsFiles().server, clientCa: null } }), ['--tls', '--insecure']],
] as const) {
  test(`h2spec finds the data plane conformant over ${name}, but for what nghttp2 does otherwise`, async () => {
    const { ran, failed } = await h2spec(options(), flags);
    assert.ok(ran >= h2specCases, `${ran} cases ran`);
    assert.deepEqual(
      failed.filter((each) => otherwise[each] === undefined),
      [],
    );
  });
}
