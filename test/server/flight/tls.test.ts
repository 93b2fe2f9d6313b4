import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeTlsFiles } from '../../support/certificates.ts';
import { runPython } from '../../support/python.ts';
import { startToy, toyMessages } from './toy.ts';

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
  const { ca, otherCa, server, client, stranger } = makeTlsFiles();
  const doGet = async function* () {
    yield* toyMessages(5);
  };
  await using open = await startToy({ doGet }, { tls: { ...server, clientCa: null } });
  await using closed = await startToy({ doGet }, { tls: { ...server, clientCa: ca } });
  const input = {
    ca: ca.toString(),
    cert: client.cert.toString(),
    key: client.key.toString(),
    otherCa: otherCa.toString(),
    otherCert: stranger.cert.toString(),
    otherKey: stranger.key.toString(),
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
