import { z } from 'zod';
import { ServiceError } from '../../core/errors.ts';
import { type FieldId, fieldId, type TableUuid, tableUuid } from '../../core/ids.ts';
import type { KeyValueStore } from '../../core/key-value.ts';
import type { Bindings, NewBinding } from './bindings.ts';

const prefix = 'policy-binding/';
const entriesMax = 1_000_000;
const stored = z.object({ names: z.record(z.string(), z.array(z.int().nonnegative()).min(1)) });

const keyOf = (table: TableUuid, policyDigest: string): string => `${prefix}${table}/${policyDigest}`;

/** Every binding that was ever made: `policy-binding/<table uuid>/<policy digest>` → the policy's names with their field ids. */
export async function readBindings(kv: KeyValueStore): Promise<Bindings> {
  const entries = await kv.list(prefix);
  if (entries.length > entriesMax) {
    throw new ServiceError('UNAVAILABLE', `more than ${entriesMax} policy bindings are kept`);
  }
  const bindings = new Map<TableUuid, Map<string, ReadonlyMap<string, readonly FieldId[]>>>();
  for (const { key, value } of entries) {
    const [table, digest] = key.slice(prefix.length).split('/') as [string, string];
    const uuid = tableUuid(table);
    const policies = bindings.get(uuid) ?? new Map();
    policies.set(digest, parseNames(value));
    bindings.set(uuid, policies);
  }
  return bindings;
}

/** Keeps new bindings. Where another process bound a name before, its binding stays. Resolves to what is now kept. */
export async function keepBindings(kv: KeyValueStore, added: readonly NewBinding[]): Promise<readonly NewBinding[]> {
  const byKey = Map.groupBy(added, ({ table, policyDigest }) => keyOf(table, policyDigest));
  const kept: NewBinding[] = [];
  for (const [key, group] of byKey) {
    const before = await kv.get(key);
    const names = new Map(before === null ? [] : parseNames(before));
    const missing = group.filter(({ name }) => !names.has(name));
    for (const { name, fields } of missing) names.set(name, fields);
    if (missing.length > 0) await kv.set(key, JSON.stringify({ names: Object.fromEntries(names) }));
    for (const one of group) kept.push({ ...one, fields: names.get(one.name)! });
  }
  return kept;
}

function parseNames(value: string): ReadonlyMap<string, readonly FieldId[]> {
  const { names } = stored.parse(JSON.parse(value));
  return new Map(Object.entries(names).map(([name, ids]) => [name, ids.map(fieldId)]));
}

/** The bindings with these ones in them. */
export function withBindings(bindings: Bindings, kept: readonly NewBinding[]): Bindings {
  const result = new Map(bindings);
  for (const { table, policyDigest, name, fields } of kept) {
    const policies = new Map(result.get(table));
    policies.set(policyDigest, new Map(policies.get(policyDigest)).set(name, fields));
    result.set(table, policies);
  }
  return result;
}
