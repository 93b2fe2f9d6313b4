import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Caller, openWorld, type World } from './world.ts';

let world: World;
let admin: Caller;

before(async () => {
  world = await openWorld({ namespaces: ['lab'] });
  admin = await world.as('root', ['admin']);
  await admin.put('lab.secrets', 'secrets', { mode: 'create' });
});
after(() => world[Symbol.asyncDispose]());

const commitOf = (characters: number): object => ({
  identifier: { namespace: ['lab'], name: 'secrets' },
  requirements: [],
  updates: [{ action: 'set-properties', updates: { note: 'x'.repeat(characters) } }],
});

test('a commit may be larger than a scan request, up to its own limit', async () => {
  const { metadata } = await admin.action<{ readonly metadata: { readonly properties: { readonly note: string } } }>(
    'headrace.commit',
    commitOf(2 << 20),
  );
  assert.equal(metadata.properties.note.length, 2 << 20);
  const large = await admin.refused('action', { type: 'headrace.commit', json: commitOf(16 << 20) });
  assert.match(JSON.stringify(large), /LIMIT_EXCEEDED.*at most 16777216 are read \(limits\.commitBytesMax\)/);
  const other = await admin.refused('action', { type: 'headrace.snapshots', json: { table: 'x'.repeat(2 << 20) } });
  assert.match(JSON.stringify(other), /LIMIT_EXCEEDED.*limits\.requestBytesMax/);
});

test('a body that is not UTF-8 is refused rather than mended', async () => {
  const body = Buffer.concat([Buffer.from('{"table": "lab.'), Buffer.from([0xff]), Buffer.from('"}')]);
  for (const type of ['headrace.snapshots', 'headrace.commit']) {
    const refused = await admin.refused('action', { type, body: body.toString('base64') });
    assert.match(JSON.stringify(refused), /INVALID_REQUEST.*UTF-8/);
  }
});
