import { ServiceError } from '../../core/errors.ts';
import { type FieldId, fieldId } from '../../core/ids.ts';
import { asInt, type JsonObject, own, readArray, readInt, readString } from '../schema/json-read.ts';
import { formatTransform, parseTransform } from './transform.ts';
import type { Transform } from './types.ts';

/** What a partition field and a sort field have in common: a transform of one source column or, from v3 on, of several. */
export interface Sourced {
  readonly sourceId: FieldId;
  readonly sourceIds?: readonly FieldId[];
  readonly transform: Transform;
}

const sourceIdsMax = 1_000;

/** Reads `source-id`, `source-ids` and `transform`. A transform of several columns is `unknown` whatever it is called. */
export function readSourced(object: JsonObject, where: string): Sourced {
  const text = readString(object, 'transform', where);
  const list = own(object, 'source-ids');
  if (list === undefined)
    return { sourceId: fieldId(readInt(object, 'source-id', where)), transform: parseTransform(text) };
  const ids = readArray(list, `${where}: source-ids`).map((id) => fieldId(asInt(id, `${where}: source-ids`)));
  if (ids.length === 0 || ids.length > sourceIdsMax) {
    throw new ServiceError('INVALID_REQUEST', `${where}: source-ids must name 1 to ${sourceIdsMax} columns`);
  }
  const [sourceId] = ids as [FieldId];
  if (ids.length === 1) return { sourceId, transform: parseTransform(text) };
  return { sourceId, sourceIds: ids, transform: { kind: 'unknown', text } };
}

/** The members of {@link readSourced} as Iceberg's writers put them: one of `source-id` and `source-ids`. */
export function sourcedToJson(field: Sourced): { readonly ids: object; readonly transform: string } {
  const ids = field.sourceIds === undefined ? { 'source-id': field.sourceId } : { 'source-ids': [...field.sourceIds] };
  return { ids, transform: formatTransform(field.transform) };
}
