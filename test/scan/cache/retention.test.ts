import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LRUCache } from 'lru-cache';
import { Retention } from '../../../src/scan/cache/retention.ts';

const kib = 1_024;

interface Simulated {
  /** Asks for a chunk of so many bytes; whether it was there. */
  ask(chunk: string, bytes?: number): boolean;
}

function simulate(bytesMax: number, now: () => number = () => 0): Simulated & { readonly kept: Retention<string> } {
  const kept = new Retention<string>({
    bytesMax,
    entriesMax: 1_000_000,
    chunksMax: 100_000,
    staleMs: 60_000,
    now,
    onEvict: () => {},
    mayEvict: () => true,
  });
  return {
    kept,
    ask(chunk, bytes = kib) {
      const distance = kept.visit(chunk);
      if (kept.use(chunk) !== undefined) return true;
      kept.pass(bytes);
      const place = kept.placeFor(distance, bytes, 0, false);
      if (place !== 'none') kept.keep(chunk, chunk, bytes, place, distance);
      return false;
    },
  };
}

/** The negative control: what the simplest cache would do. */
function plainLru(bytesMax: number): Simulated {
  const cache = new LRUCache<string, string>({ maxSize: bytesMax, sizeCalculation: () => kib });
  return {
    ask(chunk) {
      const found = cache.get(chunk) !== undefined;
      if (!found) cache.set(chunk, chunk);
      return found;
    },
  };
}

const pass = (cache: Simulated, prefix: string, count: number): number => {
  let hits = 0;
  for (let at = 0; at < count; at++) if (cache.ask(`${prefix}${at}`)) hits++;
  return hits;
};

test('with room to spare everything that is read once is there the second time', () => {
  const cache = simulate(1_100 * kib);
  pass(cache, 'a', 500);
  pass(cache, 'b', 500);
  assert.equal(pass(cache, 'a', 500) + pass(cache, 'b', 500), 1_000);
});

/** Several streams read 500 values again and again while one scan of 20,000 goes by. */
function scanBeside(cache: Simulated): number {
  for (let epoch = 0; epoch < 3; epoch++) pass(cache, 'hot', 500);
  for (let at = 0; at < 20_000; at++) {
    cache.ask(`scan${at}`);
    if (at % 40 === 0) cache.ask(`hot${(at / 40) % 500}`);
  }
  return pass(cache, 'hot', 500);
}

test('a large scan does not evict what is read again and again; of a plain LRU it does', () => {
  assert.equal(scanBeside(simulate(1_000 * kib)), 500);
  assert.ok(scanBeside(plainLru(1_000 * kib)) < 25);
});

test('of epochs over more than fits, nearly as much is found as fits; of a plain LRU nothing', () => {
  const epochs = (cache: Simulated): number => {
    let hits = 0;
    for (let epoch = 0; epoch < 6; epoch++) hits = pass(cache, 'x', 2_000);
    return hits;
  };
  const found = epochs(simulate(1_000 * kib));
  assert.ok(found >= 900, `${found} of 2000`);
  assert.equal(epochs(plainLru(1_000 * kib)), 0);
});

test('what was used long ago gives way to what is used now', () => {
  const cache = simulate(1_000 * kib);
  pass(cache, 'old', 1_000);
  for (let epoch = 0; epoch < 3; epoch++) pass(cache, 'new', 800);
  assert.equal(pass(cache, 'new', 800), 800);
});

test('what nobody used for a while gives way at once', () => {
  let ms = 0;
  const cache = simulate(1_000 * kib, () => ms);
  pass(cache, 'old', 1_000);
  ms = 61_000;
  pass(cache, 'new', 900);
  assert.equal(pass(cache, 'new', 900), 900);
});

test('what is read a second time shortly after the first is kept for a third, without touching the rest', () => {
  const cache = simulate(1_000 * kib);
  // As much as there is room for what stays.
  for (let epoch = 0; epoch < 3; epoch++) pass(cache, 'hot', 937);
  for (let at = 0; at < 10; at++) for (let turn = 0; turn < 2; turn++) assert.equal(cache.ask(`shared${at}`), false);
  assert.equal(pass(cache, 'shared', 10), 10);
  assert.equal(pass(cache, 'hot', 937), 937);
});

test('no sequence of requests makes it keep more bytes or entries than it may', () => {
  const request = fc.record({ chunk: fc.integer({ min: 0, max: 60 }), bytes: fc.integer({ min: 1, max: 200 }) });
  fc.assert(
    fc.property(fc.array(request, { maxLength: 400 }), fc.array(fc.boolean()), (requests, refusals) => {
      let evicted = 0;
      let kept = 0;
      const retention = new Retention<number>({
        bytesMax: 1_000,
        entriesMax: 20,
        chunksMax: 30,
        staleMs: 50,
        now: () => evicted,
        onEvict: () => {
          evicted++;
        },
        mayEvict: () => refusals[evicted % Math.max(1, refusals.length)] ?? true,
      });
      for (const { chunk, bytes } of requests) {
        const key = String(chunk);
        const distance = retention.visit(key);
        const found = retention.use(key);
        if (found !== undefined) continue;
        retention.pass(bytes);
        const place = retention.placeFor(distance, bytes, 0, false);
        if (place !== 'none' && retention.keep(key, bytes, bytes, place, distance)) kept++;
        assert.ok(retention.bytes <= 1_000 && retention.entries <= 21);
        assert.equal(kept - evicted, retention.entries);
      }
    }),
  );
});
