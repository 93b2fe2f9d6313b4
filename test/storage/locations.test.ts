import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isServiceError } from '../../src/core/errors.ts';
import { fileLocation, isWithin, joinLocation, localPath, parseLocation } from '../../src/storage/locations.ts';
import { openStore } from '../../src/storage/stores.ts';

const invalid = (error: unknown): boolean => isServiceError(error, 'INVALID_REQUEST');

test('the three spellings of a local file are one location', () => {
  for (const text of ['file:///a/b', 'file:/a/b', '/a/b', 'file://localhost/a/b', 'FILE:///a//b']) {
    assert.deepEqual(parseLocation(text), { scheme: 'file', authority: '', segments: ['a', 'b'] }, text);
  }
});

test('a path is literal: percent signs, question marks and hashes stay as they are', () => {
  assert.equal(localPath('file:///w/region=a%20b?c#d/x'), '/w/region=a%20b?c#d/x');
  assert.equal(localPath(fileLocation('/w/with space/ü')), '/w/with space/ü');
});

test('relative, dotted, NUL-bearing and foreign-host locations are refused', () => {
  for (const text of [
    'a/b',
    '',
    'file:a/b',
    'file:///a/../b',
    'file:///a/./b',
    '/a/..',
    'file:///a/%2e%2E/b',
    'file:///a\0b',
  ]) {
    assert.throws(() => parseLocation(text), invalid, JSON.stringify(text));
  }
  assert.throws(() => parseLocation('file://host/a'), invalid);
  assert.throws(() => parseLocation('s3:///key'), invalid);
  assert.throws(() => parseLocation(`file:///${'x'.repeat(5000)}`), invalid);
  assert.throws(() => joinLocation('file:///a', '../b'), invalid);
});

test('a location is within a prefix folder by folder, never by letters', () => {
  assert.equal(isWithin('file:///w/t', 'file:///w/t/data/x'), true);
  assert.equal(isWithin('file:///w/t/', 'file:/w/t'), true);
  assert.equal(isWithin('file:///w/t', 'file:///w/t2/data/x'), false);
  assert.equal(isWithin('file:///w/t', 'file:///w/t/../u'), false);
  assert.equal(isWithin('s3://b/t', 's3a://b/t/x'), true);
  assert.equal(isWithin('s3://b/t', 's3://c/t/x'), false);
  assert.equal(isWithin('s3://b/t', 'file:///b/t/x'), false);
});

test('what was joined to a prefix is within it', () => {
  const part = fc.stringMatching(/^[A-Za-z0-9=_ -]{1,12}$/);
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 5 }), part, (parts, other) => {
      const whole = joinLocation('file:///warehouse/t/', ...parts);
      assert.ok(isWithin('file:///warehouse/t', whole));
      assert.ok(!isWithin(joinLocation('file:///warehouse/t', `${other}!`), whole));
    }),
  );
});

test('a warehouse of a scheme that is not built is UNSUPPORTED_FEATURE and names the scheme', () => {
  for (const scheme of ['s3', 'abfss', 'gs']) {
    assert.throws(
      () => openStore({ warehouse: `${scheme}://bucket/warehouse` }),
      (error) => isServiceError(error, 'UNSUPPORTED_FEATURE') && error.message.includes(`${scheme}:`),
    );
  }
});
