/** Malformed uploads: each gets a typed error; everybody else's streams and the server stay as they were. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { tableFromArrays, tableToIPC } from 'apache-arrow';
import fc from 'fast-check';
import { type AttackedWorld, callersFault, openAttackedWorld, refusedWith } from './attacked-world.ts';
import { flightData, type IpcPiece, ipcPieces } from './ipc-pieces.ts';
import { bytesField } from './protobuf-bytes.ts';
import { eachOf, type RawFlight } from './raw-flight.ts';
import type { Caller } from './world.ts';

const megabyte = 1 << 20;
let world: AttackedWorld;
let admin: Caller;
let raw: RawFlight;
let unharmed: () => Promise<void>;

before(async () => {
  world = await openAttackedWorld();
  ({ admin, raw } = world);
});
after(() => world[Symbol.asyncDispose]());
beforeEach(async () => {
  unharmed = await world.watch();
});
afterEach(() => unharmed());

const corpus = join(import.meta.dirname, '../corpus/arrow-testing/data');
const corpusFiles = ['arrow-ipc-stream', 'arrow-ipc-file'].flatMap((kind) =>
  readdirSync(join(corpus, kind), { withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.startsWith('README'))
    .map((entry) => join(corpus, kind, entry.name)),
);

describe('malformed IPC in DoPut', () => {
  test('every file that crashed other readers is refused or written, message by message', async () => {
    assert.equal(corpusFiles.length, 78);
    const outcomes = await eachOf(corpusFiles, 4, async (file, at) => {
      const pieces = ipcPieces(readFileSync(file));
      const created = await raw.call('DoPut', flightData({ table: `raw.fuzz_${at}`, mode: 'create' }, pieces));
      const appended = await raw.call('DoPut', flightData({ table: 'raw.target', mode: 'append' }, pieces));
      // A schema without columns and without rows fits every table.
      if (appended.status !== 'OK') refusedWith(appended, callersFault, `${file} appended`);
      if (created.status !== 'OK') refusedWith(created, callersFault, file);
      else await admin.scan({ table: `raw.fuzz_${at}` });
      return created.status === 'OK';
    });
    assert.ok(outcomes.filter((written) => !written).length > corpusFiles.length / 2);
  });

  test('mutants of a good upload are refused or written, and what is written can be read', async () => {
    const good = ipcPieces(
      Buffer.from(
        tableToIPC(
          tableFromArrays({
            id: Int32Array.from({ length: 50 }, (_, at) => at),
            name: Array.from({ length: 50 }, (_, at) => (at % 3 === 0 ? null : `name ${at % 7}`)),
          }),
          'stream',
        ),
      ),
    );
    let turn = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.nat({ max: good.length - 1 }),
        fc.boolean(),
        fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 4 }),
        async (place, inBody, changes) => {
          const pieces = good.map(({ header, body }) => ({ header: Buffer.from(header), body: Buffer.from(body) }));
          const piece = pieces[place]!;
          const target = inBody && piece.body.length > 0 ? piece.body : piece.header;
          for (const [at, value] of changes) target[at % target.length] = value;
          const table = `raw.mutant_${turn++}`;
          const answer = await raw.call('DoPut', flightData({ table, mode: 'create' }, pieces));
          if (answer.status === 'OK') await admin.scan({ table });
          else refusedWith(answer, callersFault, JSON.stringify([place, inBody, changes]));
        },
      ),
      { numRuns: 150 },
    );
  });

  test('messages out of order, without each other, and of other sizes than they claim are refused and write nothing', async () => {
    const [schema, batch] = ipcPieces(
      Buffer.from(tableToIPC(tableFromArrays({ id: Int32Array.of(1, 2, 3) }), 'stream')),
    ) as [IpcPiece, IpcPiece];
    const empty: IpcPiece = { header: Buffer.alloc(0), body: Buffer.alloc(0) };
    const cases: [string, readonly IpcPiece[]][] = [
      ['a batch first', [batch, schema]],
      ['a batch alone', [batch]],
      ['two schemas', [schema, schema, batch]],
      [
        'a body without a header',
        [schema, { header: Buffer.alloc(0), body: batch.body }, { header: batch.header, body: Buffer.alloc(0) }],
      ],
      ['a body cut short', [schema, { ...batch, body: batch.body.subarray(0, 4) }]],
      ['no body', [schema, { ...batch, body: Buffer.alloc(0) }]],
      ['a header cut short', [schema, { ...batch, header: batch.header.subarray(0, 20) }]],
      ['a schema cut short', [{ ...schema, header: schema.header.subarray(0, 30) }, batch]],
      ['zeros', [{ header: Buffer.alloc(64), body: Buffer.alloc(64) }]],
      ['ones', [{ header: Buffer.alloc(64, 0xff), body: Buffer.alloc(0) }]],
      ['nothing but a descriptor', [empty]],
    ];
    for (const [what, pieces] of cases) {
      for (const request of [
        { table: 'raw.order', mode: 'create' },
        { table: 'lake.small', mode: 'append' },
      ]) {
        refusedWith(await raw.call('DoPut', flightData(request, pieces)), callersFault, what);
      }
    }
    assert.ok(
      !(await admin.call<{ path: string[] }[]>('tables', { criteria: 'raw' })).some(({ path }) => path[1] === 'order'),
    );
  });

  test('a message above the limit is LIMIT_EXCEEDED', async () => {
    const [schema] = ipcPieces(Buffer.from(tableToIPC(tableFromArrays({ id: Int32Array.of(1) }), 'stream'))) as [
      IpcPiece,
    ];
    const huge = { header: schema.header, body: Buffer.alloc(17 * megabyte) };
    refusedWith(
      await raw.call('DoPut', flightData({ table: 'raw.huge', mode: 'create' }, [schema, huge])),
      ['LIMIT_EXCEEDED'],
      'huge',
    );
    refusedWith(
      await raw.call('DoGet', [bytesField(1, Buffer.alloc(2 * megabyte))]),
      ['LIMIT_EXCEEDED'],
      'a huge ticket',
    );
  });
});

test('negative control: what a refusal checks is not trivially true, a good upload of the same form is written', async () => {
  const pieces = ipcPieces(Buffer.from(tableToIPC(tableFromArrays({ id: Int32Array.of(1, 2, 3) }), 'stream')));
  const answer = await raw.call('DoPut', flightData({ table: 'raw.good', mode: 'create' }, pieces));
  assert.equal(answer.status, 'OK', answer.message);
  assert.equal((await admin.scan({ table: 'raw.good' })).rows.length, 3);
  assert.throws(() => refusedWith(answer, callersFault, 'good'));
});
