import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseJson } from '../../../src/catalog/metadata/big-json.ts';
import { parseCommitRequest } from '../../../src/catalog/metadata/updates.ts';

const parse = (text: string) => parseCommitRequest(parseJson(text));
const schema = '{"type":"struct","schema-id":0,"fields":[{"id":1,"name":"x","required":true,"type":"long"}]}';
const snapshot =
  '{"snapshot-id":3055729675574597004,"timestamp-ms":1,"sequence-number":2,"manifest-list":"s3://b/1.avro"}';

/** Each of Iceberg REST's table updates as a client sends it, with what must have been read. */
const updates: readonly (readonly [text: string, read: Record<string, unknown>])[] = [
  [
    '{"action":"assign-uuid","uuid":"9c12d441-03fe-4693-9a96-a0705ddf69c1"}',
    { uuid: '9c12d441-03fe-4693-9a96-a0705ddf69c1' },
  ],
  ['{"action":"upgrade-format-version","format-version":2}', { formatVersion: 2 }],
  [`{"action":"add-schema","schema":${schema},"last-column-id":1}`, {}],
  ['{"action":"set-current-schema","schema-id":-1}', { schemaId: -1 }],
  ['{"action":"add-spec","spec":{"fields":[{"name":"x","transform":"identity","source-id":1}]}}', {}],
  ['{"action":"set-default-spec","spec-id":-1}', { specId: -1 }],
  ['{"action":"add-sort-order","sort-order":{"order-id":0,"fields":[]}}', { sortOrder: { orderId: 0, fields: [] } }],
  ['{"action":"set-default-sort-order","sort-order-id":0}', { sortOrderId: 0 }],
  [`{"action":"add-snapshot","snapshot":${snapshot}}`, {}],
  [
    '{"action":"set-snapshot-ref","ref-name":"main","type":"branch","snapshot-id":3055729675574597004,"max-ref-age-ms":5}',
    { name: 'main' },
  ],
  ['{"action":"remove-snapshots","snapshot-ids":[3055729675574597004,2]}', { snapshotIds: [3055729675574597004n, 2n] }],
  ['{"action":"remove-snapshot-ref","ref-name":"x"}', { name: 'x' }],
  ['{"action":"set-location","location":"s3://b/t"}', { location: 's3://b/t' }],
  ['{"action":"set-properties","updates":{"a":"b"}}', { updates: new Map([['a', 'b']]) }],
  ['{"action":"remove-properties","removals":["a"]}', { removals: ['a'] }],
  [
    '{"action":"set-statistics","snapshot-id":1,"statistics":{"snapshot-id":3055729675574597004,"statistics-path":"s3://b/s"}}',
    { snapshotId: 3055729675574597004n },
  ],
  ['{"action":"remove-statistics","snapshot-id":1}', { snapshotId: 1n }],
  [
    '{"action":"set-partition-statistics","partition-statistics":{"snapshot-id":1,"statistics-path":"s3://b/s"}}',
    { snapshotId: 1n },
  ],
  ['{"action":"remove-partition-statistics","snapshot-id":1}', { snapshotId: 1n }],
  ['{"action":"remove-partition-specs","spec-ids":[1]}', { specIds: [1] }],
  ['{"action":"remove-schemas","schema-ids":[1]}', { schemaIds: [1] }],
  ['{"action":"add-encryption-key","encryption-key":{"key-id":"k","encrypted-key-metadata":"AA"}}', { keyId: 'k' }],
  ['{"action":"remove-encryption-key","key-id":"k"}', { keyId: 'k' }],
];

test('all 23 table updates are read, each under its action', () => {
  const { updates: read } = parse(`{"updates":[${updates.map(([text]) => text).join()}]}`);
  assert.equal(new Set(read.map(({ kind }) => kind)).size, 23);
  for (const [index, [text, expected]] of updates.entries()) {
    assert.equal(read[index]!.kind, JSON.parse(text).action);
    for (const [name, value] of Object.entries(expected)) {
      assert.deepEqual((read[index] as unknown as Record<string, unknown>)[name], value, text);
    }
  }
});

test('all 8 requirements are read, and a null snapshot id stays null', () => {
  const { requirements, identifier } =
    parse(`{"identifier":{"namespace":["a","b"],"name":"t"},"updates":[],"requirements":[
    {"type":"assert-create"},
    {"type":"assert-table-uuid","uuid":"u"},
    {"type":"assert-ref-snapshot-id","ref":"main","snapshot-id":3055729675574597004},
    {"type":"assert-ref-snapshot-id","ref":"new","snapshot-id":null},
    {"type":"assert-last-assigned-field-id","last-assigned-field-id":1},
    {"type":"assert-current-schema-id","current-schema-id":1},
    {"type":"assert-last-assigned-partition-id","last-assigned-partition-id":1000},
    {"type":"assert-default-spec-id","default-spec-id":1},
    {"type":"assert-default-sort-order-id","default-sort-order-id":1}]}`);
  assert.equal(new Set(requirements.map(({ kind }) => kind)).size, 8);
  assert.deepEqual(requirements[2], { kind: 'assert-ref-snapshot-id', ref: 'main', snapshotId: 3055729675574597004n });
  assert.deepEqual(requirements[3], { kind: 'assert-ref-snapshot-id', ref: 'new', snapshotId: null });
  assert.deepEqual(identifier, { namespace: ['a', 'b'], name: 't' });
});

test('a partition field without an id waits for one, and one with an id keeps it', () => {
  const { updates: read } = parse(`{"updates":[{"action":"add-spec","spec":{"spec-id":7,"fields":[
    {"name":"x","transform":"identity","source-id":1},
    {"name":"y","transform":"bucket[4]","source-id":1,"field-id":1005}]}}]}`);
  assert.deepEqual(read[0], {
    kind: 'add-spec',
    spec: {
      fields: [
        { name: 'x', transform: { kind: 'identity' }, sourceId: 1, fieldId: null },
        { name: 'y', transform: { kind: 'bucket', buckets: 4 }, sourceId: 1, fieldId: 1005 },
      ],
    },
  });
});

const refusals: readonly (readonly [text: string, message: RegExp])[] = [
  ['[]', /commit request must be a JSON object/],
  ['{}', /updates is missing/],
  ['{"updates":[{"action":"add-shema"}]}', /updates\[0\]\.action "add-shema" is unknown\. Did you mean add-schema\?/],
  ['{"updates":[{"action":"toString"}]}', /"toString" is unknown/],
  ['{"updates":[{"action":"add-view-version"}]}', /"add-view-version" is unknown/],
  ['{"updates":[{}]}', /updates\[0\]\.action is missing/],
  [
    '{"updates":[],"requirements":[{"type":"assert-view-uuid"}]}',
    /requirements\[0\]\.type "assert-view-uuid" is unknown/,
  ],
  ['{"updates":[{"action":"add-schema","schema":{"type":"list"}}]}', /updates\[0\]\.schema: /],
  [
    '{"updates":[{"action":"set-snapshot-ref","ref-name":"t","type":"tag","snapshot-id":1,"min-snapshots-to-keep":1}]}',
    /tag/,
  ],
  ['{"updates":[{"action":"set-snapshot-ref","ref-name":"","type":"tag","snapshot-id":1}]}', /ref-name is empty/],
  ['{"updates":[{"action":"remove-snapshots","snapshot-ids":["1"]}]}', /snapshot-ids\[0\] must be a 64-bit integer/],
  ['{"updates":[{"action":"set-current-schema","schema-id":1.5}]}', /schema-id must be a 32-bit integer/],
  ['{"identifier":{"namespace":["a.b"],"name":"t"},"updates":[]}', /without dots/],
];
for (const [text, message] of refusals) {
  test(`INVALID_REQUEST: ${text.slice(0, 70)}`, () => {
    assert.throws(() => parse(text), { code: 'INVALID_REQUEST', message });
  });
}

test('the number of updates and of added definitions is bounded', () => {
  const limits = { commitUpdatesMax: 3, commitDefinitionsMax: 1 };
  const removal = { action: 'remove-statistics', 'snapshot-id': 1 };
  const order = { action: 'add-sort-order', 'sort-order': { 'order-id': 0, fields: [] } };
  assert.doesNotThrow(() => parseCommitRequest({ updates: [removal, removal, order] }, limits));
  assert.throws(() => parseCommitRequest({ updates: Array(4).fill(removal) }, limits), { code: 'INVALID_REQUEST' });
  assert.throws(() => parseCommitRequest({ updates: [order, order] }, limits), { code: 'INVALID_REQUEST' });
});
