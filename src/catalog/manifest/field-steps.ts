import { ServiceError } from '../../core/errors.ts';
import type { FieldId } from '../../core/ids.ts';
import type { AvroCursor } from '../avro/cursor.ts';
import type { AvroRecordType, AvroType } from '../avro/schema.ts';
import { isVarint, skipperOf } from '../avro/skip.ts';
import { RowFields, withoutNull } from './row.ts';

/** Takes one field's value from the cursor, to wherever it belongs. */
export type Step = (cursor: AvroCursor) => void;

/** What a field's value becomes; null for the null branch. */
export type Reading<Item> = (cursor: AvroCursor) => Item | null;

/** A count: an int or a long of 0 and above that a double holds exactly. CORRUPT_FILE for anything else. */
export function longOf(type: AvroType, name: string): Reading<number> {
  return branched(type, (branch) => {
    if (branch.kind !== 'int' && branch.kind !== 'long') return () => wrongValue(name);
    return (cursor) => {
      const value = cursor.safeLong();
      return value >= 0 ? value : wrongValue(name);
    };
  });
}

/** Where a string's bytes begin; they end where the cursor then stands. */
export function spanOf(type: AvroType, name: string): Reading<number> {
  return branched(type, (branch) =>
    branch.kind === 'string' ? (cursor) => cursor.lengthPrefixed() : () => wrongValue(name),
  );
}

function branched<Item>(type: AvroType, readingOf: (branch: AvroType) => Reading<Item>): Reading<Item> {
  const one = (branch: AvroType): Reading<Item> => (branch.kind === 'null' ? () => null : readingOf(branch));
  if (type.kind !== 'union') return one(type);
  const branches = type.branches.map(one);
  return (cursor) => branches[cursor.index(branches.length)]!(cursor);
}

export function wrongValue(name: string): never {
  throw new ServiceError('CORRUPT_FILE', `an Iceberg Avro file has a wrong value in the field ${name}`);
}

/** Takes the value of one pair, of a type that {@link pairsStep} gave it, for the field that has this slot. */
export type PairSink = (cursor: AvroCursor, slot: number) => void;

/**
 * Walks a map of statistics, which is an array of key and value records (table spec, Appendix A). Values of fields without a slot are
 * passed over. `sinkOf` gives null for a type that such a value cannot have: it is left out, since what is absent prunes nothing.
 */
export function pairsStep(
  type: AvroType,
  name: string,
  slots: ReadonlyMap<FieldId, number>,
  sinkOf: (type: AvroType) => PairSink | null,
): Step {
  if (slots.size === 0) return skipperOf(type);
  return branched(type, (list) => {
    const items = list.kind === 'array' ? withoutNull(list.items) : null;
    if (list.kind !== 'array' || items?.kind !== 'record') return () => wrongValue(name);
    const takeMany = pairTaker(items, slots, sinkOf);
    const isOptional = list.items.kind === 'union';
    return (cursor) => {
      for (let count = cursor.blockCount(list.items.minBytes); count > 0; ) {
        if (isOptional) throwUnlessItem(cursor, list.items, name);
        takeMany(cursor, isOptional ? 1 : count);
        count = isOptional ? count - 1 : 0;
        if (count === 0) count = cursor.blockCount(list.items.minBytes);
      }
      return null;
    };
  });
}

function throwUnlessItem(cursor: AvroCursor, type: AvroType, name: string): void {
  if (type.kind === 'union' && type.branches[cursor.index(type.branches.length)]!.kind === 'null') wrongValue(name);
}

function pairTaker(
  items: AvroRecordType,
  slots: ReadonlyMap<FieldId, number>,
  sinkOf: (type: AvroType) => PairSink | null,
): (cursor: AvroCursor, count: number) => void {
  const fields = new RowFields(items);
  const [key, value] = [fields.require(-1, 'key'), fields.require(-1, 'value')];
  const skips = items.fields.map((field) => skipperOf(field.type));
  const readKey = longOf(items.fields[key.at]!.type, 'key');
  const keyIsPlain = isVarint(items.fields[key.at]!.type);
  const take = optionalSink(items.fields[value.at]!.type, sinkOf);
  const skipValue = skips[value.at]!;
  const table = slotTable(slots);
  if (items.fields.length === 2 && key.at === 0 && keyIsPlain) {
    return (cursor, count) => {
      for (; count > 0; count--) {
        const id = cursor.safeLong();
        if (id < 0) wrongValue('key');
        const slot = id < table.length ? table[id]! : noSlot;
        if (slot === noSlot) skipValue(cursor);
        else take(cursor, slot);
      }
    };
  }
  return (cursor, count) => {
    for (; count > 0; count--) {
      let id: number | null = null;
      let valueAt = 0;
      for (let at = 0; at < skips.length; at++) {
        if (at === value.at) valueAt = cursor.at;
        if (at === key.at) id = readKey(cursor);
        else skips[at]!(cursor);
      }
      const slot = table[id ?? wrongValue('key')] ?? noSlot;
      if (slot === noSlot) continue;
      const end = cursor.at;
      cursor.at = valueAt;
      take(cursor, slot);
      cursor.at = end;
    }
  };
}

const noSlot = -1;
/** Statistics of a field with a greater id are not used: tables number their fields from 1. */
const slotIdMax = 1 << 20;

function slotTable(slots: ReadonlyMap<FieldId, number>): Int32Array {
  const ids = [...slots.keys()].filter((id) => id >= 0 && id <= slotIdMax);
  const table = new Int32Array(Math.max(-1, ...ids) + 1).fill(noSlot);
  for (const id of ids) table[id] = slots.get(id)!;
  return table;
}

function optionalSink(type: AvroType, sinkOf: (type: AvroType) => PairSink | null): PairSink {
  const one = (branch: AvroType): PairSink => sinkOf(branch) ?? skipperOf(branch);
  if (type.kind !== 'union') return one(type);
  const branches = type.branches.map(one);
  return (cursor, slot) => branches[cursor.index(branches.length)]!(cursor, slot);
}
