import { ServiceError } from '../../core/errors.ts';
import { defaultLimits } from '../../core/limits.ts';
import { own, readArray, readInt, readObject, readString } from '../schema/json-read.ts';
import { firstPartitionFieldId } from './partition-by.ts';
import { readSourced, sourcedToJson } from './sources.ts';
import type { PartitionField, PartitionSpec } from './types.ts';

export { checkPartitionSpec } from './check-spec.ts';
export { type EvolvedSpec, type EvolveSpecOptions, evolveSpec, type PartitionChange, sameSpec } from './evolve-spec.ts';
export { partitionFieldTypes } from './field-types.ts';
export { firstPartitionFieldId, type PartitionByOptions, parsePartitionBy } from './partition-by.ts';
export { partitionPath } from './partition-path.ts';

export const unpartitioned: PartitionSpec = { specId: 0, fields: [] };

/**
 * Reads a partition spec (table spec, Appendix C): an object, or v1's bare list of fields, which is spec 0. Where v1 left out
 * `field-id`s they are 1000 and on, by position. Sources are not looked up: columns may have been dropped since. Throws
 * INVALID_REQUEST, and LIMIT_EXCEEDED for more than `fieldsMax` fields.
 */
export function parsePartitionSpec(json: unknown, fieldsMax: number = defaultLimits.partitionFieldsMax): PartitionSpec {
  const object = Array.isArray(json) ? { 'spec-id': 0, fields: json } : readObject(json, 'partition spec');
  const fields = readArray(own(object, 'fields'), 'the fields of a partition spec');
  if (fields.length > fieldsMax) {
    throw new ServiceError('LIMIT_EXCEEDED', `a partition spec has at most ${fieldsMax} fields, not ${fields.length}`);
  }
  const spec = { specId: readInt(object, 'spec-id', 'partition spec'), fields: fields.map(parsePartitionField) };
  const ids = new Set(spec.fields.map((field) => field.fieldId));
  if (ids.size < spec.fields.length) {
    throw new ServiceError('INVALID_REQUEST', `partition spec ${spec.specId} uses a field-id twice`);
  }
  return spec;
}

export function partitionSpecToJson(spec: PartitionSpec): object {
  return {
    'spec-id': spec.specId,
    fields: spec.fields.map((field) => {
      const { ids, transform } = sourcedToJson(field);
      return { name: field.name, transform, ...ids, 'field-id': field.fieldId };
    }),
  };
}

function parsePartitionField(json: unknown, at: number): PartitionField {
  const object = readObject(json, 'a partition field');
  const fieldId =
    own(object, 'field-id') === undefined
      ? firstPartitionFieldId + at
      : readInt(object, 'field-id', 'a partition field');
  return {
    ...readSourced(object, 'a partition field'),
    fieldId,
    name: readString(object, 'name', 'a partition field'),
  };
}
