import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { runPython } from '../../support/python.ts';
import { startToy, toyMessages } from './toy.ts';

const folder = mkdtempSync(join(tmpdir(), 'headrace-tls-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const openssl = (...args: string[]): Buffer =>
  execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
const pem = (name: string): Buffer => readFileSync(join(folder, name));

function authority(name: string): void {
  const subject = ['-subj', `/CN=${name}`, '-days', '2', '-keyout', `${name}.key`, '-out', `${name}.crt`];
  openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', ...subject);
}

function certificate(name: string, signer: string): void {
  writeFileSync(join(folder, `${name}.ext`), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
  const request = ['-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.csr`];
  openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', ...request);
  const signing = ['-CA', `${signer}.crt`, '-CAkey', `${signer}.key`, '-CAcreateserial', '-days', '2'];
  openssl('x509', '-req', '-in', `${name}.csr`, ...signing, '-extfile', `${name}.ext`, '-out', `${name}.crt`);
}

const script = `
import pyarrow.flight as fl
def read(scheme, **options):
    try:
        client = fl.connect(f"{scheme}://localhost:{input['port']}", **options)
        return client.do_get(fl.Ticket(b'x'), fl.FlightCallOptions(timeout=5)).read_all().num_rows
    except Exception as error:
        return type(error).__name__
trusted = dict(tls_root_certs=input['ca'])
output = {
  'trusted': read('grpc+tls', **trusted),
  'client': read('grpc+tls', cert_chain=input['cert'], private_key=input['key'], **trusted),
  'stranger': read('grpc+tls', cert_chain=input['otherCert'], private_key=input['otherKey'], **trusted),
  'untrusted': read('grpc+tls', tls_root_certs=input['otherCa']),
  'plain': read('grpc'),
}
`;

test('TLS serves trusting clients, and with a client authority only those that it signed', async () => {
  authority('ca');
  authority('other');
  certificate('server', 'ca');
  certificate('client', 'ca');
  certificate('stranger', 'other');
  const doGet = async function* () {
    yield* toyMessages(5);
  };
  const tls = { cert: pem('server.crt'), key: pem('server.key') };
  await using open = await startToy({ doGet }, { tls: { ...tls, clientCa: null } });
  await using closed = await startToy({ doGet }, { tls: { ...tls, clientCa: pem('ca.crt') } });
  const input = {
    ca: pem('ca.crt').toString(),
    cert: pem('client.crt').toString(),
    key: pem('client.key').toString(),
    otherCa: pem('other.crt').toString(),
    otherCert: pem('stranger.crt').toString(),
    otherKey: pem('stranger.key').toString(),
  };
  const [one, mutual] = (await Promise.all([
    runPython(script, { ...input, port: open.port }),
    runPython(script, { ...input, port: closed.port }),
  ])) as Record<string, number | string>[];
  assert.deepEqual([one!.trusted, one!.client], [5, 5]);
  assert.deepEqual([mutual!.client], [5]);
  for (const refused of [
    one!.untrusted,
    one!.plain,
    mutual!.trusted,
    mutual!.stranger,
    mutual!.untrusted,
    mutual!.plain,
  ]) {
    assert.match(String(refused), /Error/);
  }
});
