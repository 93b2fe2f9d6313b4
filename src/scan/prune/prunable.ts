import type { FieldId } from '../../core/ids.ts';
import { type BoundFilter, mapConditions } from '../filter/bound.ts';

/**
 * The part of a filter that may meet statistics, partitions, dictionaries and bloom filters: conditions on fields for which
 * `mayUse` is false (masked ones, whose raw values must leave no trace in what is read) become true. Every condition of a bound
 * filter stands in a positive place, so each row that passes the filter passes what remains.
 */
export function prunablePart(filter: BoundFilter, mayUse: (fieldId: FieldId) => boolean): BoundFilter {
  return mapConditions(filter, (condition) => (mayUse(condition.field.fieldId) ? condition : { kind: 'true' }));
}
