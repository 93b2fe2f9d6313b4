import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAvroSchema } from '../../../src/catalog/avro/schema.ts';
import { isServiceError } from '../../../src/core/errors.ts';
import { defaultLimits } from '../../../src/core/limits.ts';

const fixed = (name: string, size: number) => ({
  type: 'fixed',
  name,
  size,
  logicalType: 'decimal',
  precision: 9,
  scale: 2,
});
const record = (...types: unknown[]) => ({
  type: 'record',
  name: 'r102',
  fields: types.map((type, at) => ({ name: `f${at}`, type: ['null', type], 'field-id': 1000 + at })),
});

test('a fixed type may be written out again, as PyIceberg does for two partition fields of one decimal type', () => {
  const type = parseAvroSchema(record(fixed('decimal_9_2', 4), fixed('decimal_9_2', 4)), defaultLimits);
  assert.equal(type.kind, 'record');
  const branches = type.kind === 'record' ? type.fields.map((field) => field.type) : [];
  assert.deepEqual(branches[0], branches[1]);
});

test('one name for two different types is refused', () => {
  const corrupt = (error: unknown): boolean => isServiceError(error, 'CORRUPT_FILE');
  assert.throws(() => parseAvroSchema(record(fixed('a', 4), fixed('a', 5)), defaultLimits), corrupt);
  assert.throws(() => parseAvroSchema(record(fixed('r102', 4)), defaultLimits), corrupt);
  assert.throws(
    () => parseAvroSchema(record({ type: 'enum', name: 'a', symbols: [] }, fixed('a', 4)), defaultLimits),
    corrupt,
  );
});
