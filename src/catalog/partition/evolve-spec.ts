import { ServiceError } from '../../core/errors.ts';
import { didYouMean } from '../../core/nearest.ts';
import type { FieldEntry } from '../schema/lookup.ts';
import type { Schema } from '../schema/types.ts';
import { checkPartitionSpec } from './check-spec.ts';
import {
  columnName,
  isTimeTransform,
  type PartitionTerm,
  parsePartitionTerm,
  refuseRedundant,
} from './partition-by.ts';
import { formatTransform } from './transform.ts';
import type { PartitionField, PartitionSpec, Transform } from './types.ts';

export type PartitionChange =
  /** `by` as in `partition_by`: `month(date)`, `bucket(16, id)`, a column. */
  | { readonly kind: 'add'; readonly by: string; readonly name?: string }
  /** By the partition field's name, or as it was added: `month(date)`. */
  | { readonly kind: 'remove'; readonly field: string }
  | { readonly kind: 'rename'; readonly field: string; readonly name: string };

export interface EvolveSpecOptions {
  /** All specs of the table: an equal one is used again, and so are the ids of equal fields. */
  readonly specs: readonly PartitionSpec[];
  readonly lastPartitionId: number;
  readonly formatVersion: 1 | 2 | 3;
}

export interface EvolvedSpec {
  /** One of the table's specs where an equal one exists, else a new one with the next id. */
  readonly spec: PartitionSpec;
  readonly lastPartitionId: number;
}

/**
 * Applies changes to a spec as Iceberg's UpdatePartitionSpec does: removed fields are dropped (in v1 tables made void, since
 * field ids there are positions), added ones take the id and name of an equal field of an older spec, else the next id and a
 * name such as `id_bucket_16`. Throws INVALID_REQUEST, UNKNOWN_COLUMN, UNSUPPORTED_FEATURE.
 */
export function evolveSpec(
  current: PartitionSpec,
  schema: Schema,
  changes: readonly PartitionChange[],
  options: EvolveSpecOptions,
): EvolvedSpec {
  let { lastPartitionId } = options;
  let kept: readonly PartitionField[] = current.fields;
  const removed: PartitionField[] = [];
  const added: PartitionField[] = [];
  for (const change of changes) {
    switch (change.kind) {
      case 'remove': {
        const field = findField(change.field, kept, schema);
        removed.push(field);
        kept =
          options.formatVersion === 1
            ? kept.map((other) => (other === field ? voided(field) : other))
            : kept.filter((other) => other !== field);
        break;
      }
      case 'rename': {
        const field = findField(change.field, kept, schema);
        kept = kept.map((other) => (other === field ? { ...field, name: change.name } : other));
        break;
      }
      case 'add': {
        const term = parsePartitionTerm(change.by, schema);
        refuseDuplicate(change.by, term, [...kept, ...added]);
        const restored = removed.find((field) => isField(field, term));
        if (restored !== undefined) {
          kept = restore(restored, change.name, kept, current);
          break;
        }
        const reused = options.formatVersion === 1 ? undefined : findReusable(term, change.name, options.specs);
        added.push(reused ?? newField(term, change.name, ++lastPartitionId));
        break;
      }
      default:
        change satisfies never;
    }
  }
  refuseRedundant(added.filter((field) => isTimeTransform(field.transform)));
  const fields = [...renameReplaced(kept, added), ...added];
  const spec = { specId: 1 + Math.max(current.specId, ...options.specs.map((other) => other.specId)), fields };
  checkPartitionSpec(spec, schema);
  const equal = [current, ...options.specs].find((other) => sameSpec(other, spec));
  return { spec: equal ?? spec, lastPartitionId };
}

/** Equal sources, transforms and names in equal order: writers must use the one that exists (table spec, "Partitioning"). */
export function sameSpec(a: PartitionSpec, b: PartitionSpec): boolean {
  return (
    a.fields.length === b.fields.length &&
    a.fields.every((field, at) => {
      const other = b.fields[at]!;
      return (
        field.name === other.name &&
        sourceKey(field) === sourceKey(other) &&
        formatTransform(field.transform) === formatTransform(other.transform)
      );
    })
  );
}

const sourceKey = (field: PartitionField): string => (field.sourceIds ?? [field.sourceId]).join();

const isField = (field: PartitionField, { source, transform }: PartitionTerm): boolean =>
  field.sourceId === source.field.id && formatTransform(field.transform) === formatTransform(transform);

const voided = (field: PartitionField): PartitionField => ({ ...field, transform: { kind: 'void' } });

/** A field removed and added in one go is the field as it was, at its old place. */
function restore(
  field: PartitionField,
  name: string | undefined,
  kept: readonly PartitionField[],
  current: PartitionSpec,
): PartitionField[] {
  const again = new Map(
    [...kept, name === undefined ? field : { ...field, name }].map((other) => [other.fieldId, other]),
  );
  return current.fields.flatMap((other) => again.get(other.fieldId) ?? []);
}

function findReusable(
  term: PartitionTerm,
  name: string | undefined,
  specs: readonly PartitionSpec[],
): PartitionField | undefined {
  return specs
    .flatMap((spec) => spec.fields)
    .find((field) => isField(field, term) && (name === undefined || field.name === name));
}

function newField({ source, transform }: PartitionTerm, name: string | undefined, fieldId: number): PartitionField {
  return { sourceId: source.field.id, fieldId, name: name ?? evolvedName(source, transform), transform };
}

/** Iceberg names added fields with their parameter, unlike those a table is created with. */
function evolvedName(source: FieldEntry, transform: Transform): string {
  const name = columnName(source);
  switch (transform.kind) {
    case 'identity':
      return name;
    case 'bucket':
      return `${name}_bucket_${transform.buckets}`;
    case 'truncate':
      return `${name}_trunc_${transform.width}`;
    default:
      return `${name}_${transform.kind}`;
  }
}

/** A void field makes room for an added one of its name. */
function renameReplaced(kept: readonly PartitionField[], added: readonly PartitionField[]): PartitionField[] {
  const names = new Set(added.map((field) => field.name));
  return kept.map((field) =>
    field.transform.kind === 'void' && names.has(field.name)
      ? { ...field, name: `${field.name}_${field.fieldId}` }
      : field,
  );
}

function refuseDuplicate(by: string, term: PartitionTerm, fields: readonly PartitionField[]): void {
  const same = fields.find((field) => isField(field, term));
  if (same !== undefined) {
    throw new ServiceError('INVALID_REQUEST', `the table is already partitioned by ${by}: the field ${same.name}`);
  }
}

function findField(text: string, fields: readonly PartitionField[], schema: Schema): PartitionField {
  const named = fields.find((field) => field.name === text) ?? findByTerm(text, fields, schema);
  if (named !== undefined) return named;
  const hint = didYouMean(
    text,
    fields.map((field) => field.name),
  );
  throw new ServiceError('INVALID_REQUEST', `there is no partition field ${JSON.stringify(text)}.${hint}`);
}

function findByTerm(text: string, fields: readonly PartitionField[], schema: Schema): PartitionField | undefined {
  if (!text.includes('(')) return undefined;
  const term = parsePartitionTerm(text, schema);
  return fields.find((field) => isField(field, term));
}
