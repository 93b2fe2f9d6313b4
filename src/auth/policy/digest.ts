import { createHash } from 'node:crypto';

/** SHA-256 of a value's canonical JSON: keys sorted, sets and maps sorted by their entries' own JSON, bytes as hex. */
export const digestOf = (value: unknown): string => createHash('sha256').update(canonicalJson(value)).digest('hex');

/** Equal texts for equal values, whatever the order in which they were put together. */
export function canonicalJson(value: unknown): string {
  if (value instanceof Uint8Array) return `{"$bytes":"${Buffer.from(value).toString('hex')}"}`;
  if (value instanceof Map) return `{"$map":[${[...value].map(canonicalJson).sort().join()}]}`;
  if (value instanceof Set) return `{"$set":[${[...value].map(canonicalJson).sort().join()}]}`;
  if (typeof value === 'bigint') return `{"$int":"${value}"}`;
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join()}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const entries = Object.entries(value).filter(([, child]) => child !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, child]) => `${JSON.stringify(key)}:${canonicalJson(child)}`).join()}}`;
}
