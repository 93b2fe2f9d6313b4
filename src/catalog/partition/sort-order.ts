import { ServiceError } from '../../core/errors.ts';
import { defaultLimits } from '../../core/limits.ts';
import { own, readArray, readInt, readObject, readString, show } from '../schema/json-read.ts';
import { readSourced, sourcedToJson } from './sources.ts';
import type { SortField, SortOrder } from './types.ts';

/** Order id 0 (table spec, "Sorting"). */
export const unsorted: SortOrder = { orderId: 0, fields: [] };

/** Reads a sort order (table spec, Appendix C). Throws INVALID_REQUEST, and LIMIT_EXCEEDED for more than `fieldsMax` fields. */
export function parseSortOrder(json: unknown, fieldsMax: number = defaultLimits.partitionFieldsMax): SortOrder {
  const object = readObject(json, 'sort order');
  const fields = readArray(own(object, 'fields'), 'the fields of a sort order');
  if (fields.length > fieldsMax) {
    throw new ServiceError('LIMIT_EXCEEDED', `a sort order has at most ${fieldsMax} fields, not ${fields.length}`);
  }
  return { orderId: readInt(object, 'order-id', 'sort order'), fields: fields.map(parseSortField) };
}

export function sortOrderToJson(order: SortOrder): object {
  return {
    'order-id': order.orderId,
    fields: order.fields.map((field) => {
      const { ids, transform } = sourcedToJson(field);
      return { transform, ...ids, direction: field.direction, 'null-order': field.nullOrder };
    }),
  };
}

function parseSortField(json: unknown): SortField {
  const object = readObject(json, 'a sort field');
  const direction = readString(object, 'direction', 'a sort field').toLowerCase();
  const nullOrder = readString(object, 'null-order', 'a sort field').toLowerCase();
  if (direction !== 'asc' && direction !== 'desc') {
    throw new ServiceError(
      'INVALID_REQUEST',
      `a sort field's direction must be "asc" or "desc", not ${show(direction)}`,
    );
  }
  if (nullOrder !== 'nulls-first' && nullOrder !== 'nulls-last') {
    throw new ServiceError(
      'INVALID_REQUEST',
      `a sort field's null-order must be "nulls-first" or "nulls-last", not ${show(nullOrder)}`,
    );
  }
  return { ...readSourced(object, 'a sort field'), direction, nullOrder };
}
