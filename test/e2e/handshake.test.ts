import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { runPython } from '../support/python.ts';
import { openWorld, type World } from './world.ts';

let world: World;

before(async () => {
  world = await openWorld({ namespaces: ['lab'] });
});
after(() => world[Symbol.asyncDispose]());

test("a pyarrow ClientAuthHandler that keeps the handshake's answer may call from then on; a bad token is UNAUTHENTICATED", async () => {
  const admin = await world.as('root', ['admin']);
  await admin.put('lab.secrets', 'secrets', { mode: 'create' });
  const script = `
import pyarrow.flight as fl
class Keeper(fl.ClientAuthHandler):
    def __init__(self, token):
        super().__init__()
        self.sent = token
        self.kept = b''
    def authenticate(self, outgoing, incoming):
        outgoing.write(self.sent)
        self.kept = incoming.read()
    def get_token(self):
        return self.kept
def flights(token):
    client = fl.connect(f"grpc://127.0.0.1:{input['port']}")
    handler = Keeper(token)
    try:
        client.authenticate(handler)
        return ['/'.join(p.decode() for p in info.descriptor.path) for info in client.list_flights()]
    except Exception as error:
        return str(error)
output = [flights(input['token'].encode()), flights(b'nonsense')]
`;
  const [flights, refused] = (await runPython(script, { port: world.server.flight, token: admin.token })) as [
    unknown,
    string,
  ];
  assert.deepEqual(flights, ['lab/secrets']);
  assert.match(refused, /UNAUTHENTICATED/);
});
