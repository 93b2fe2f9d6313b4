import type { NameMapping } from '../../catalog/schema/name-mapping.ts';
import { isPrimitive, type NestedField, type Schema } from '../../catalog/schema/types.ts';
import { ServiceError } from '../../core/errors.ts';
import type { FieldId } from '../../core/ids.ts';
import type { ArrowField, ArrowType } from '../arrow/column.ts';
import { arrowSchemaOf } from '../arrow/iceberg.ts';
import { describeType } from '../arrow/kernels/cast.ts';
import { pruneToLeaves } from '../projection.ts';
import { type ColumnPlan, listPlan, planLeaves, structPlan } from './column-plan.ts';
import { byFieldId, hasFieldIds, mapNames } from './field-ids.ts';
import type { ParquetFile } from './footer.ts';
import { naturalType } from './leaf-type.ts';
import { leafConversion } from './leaf-values.ts';
import type { FileProjection } from './read.ts';
import type { ParquetLeaf } from './schema.ts';
import { type Shape, shapeChildren, shapeOf } from './shape.ts';

/**
 * How a file's columns become those of a table's schema, by field id at every depth (table spec, "Column Projection"); a file without
 * any ids is read by the name mapping, or has none of the columns. `wanted` is either the fields in their order (subtrees of the
 * schema's fields), or the ids of the fields wanted, whose subtrees then come in the schema's order.
 *
 * A missing optional field is null. Throws CORRUPT_FILE for a missing required one, SCHEMA_MISMATCH for a column whose type cannot
 * become the field's, UNSUPPORTED_FEATURE for a missing field with a default value.
 */
export function projectFile(
  file: Pick<ParquetFile, 'metadata'>,
  schema: Schema,
  wanted: readonly NestedField[] | ReadonlySet<FieldId>,
  nameMapping: NameMapping | null,
): FileProjection {
  const fields = wanted instanceof Set ? pruneToLeaves(schema, wanted).fields : (wanted as readonly NestedField[]);
  const arrow = arrowSchemaOf({ schemaId: schema.schemaId, fields, identifierFieldIds: [] });
  const known = byFieldId(fileShapes(file, nameMapping));
  const columns = fields.map((field, at) => planField(field, arrow.fields[at]!, known.get(field.id) ?? null));
  return { fields: arrow.fields, columns };
}

/** The leaves that a projection reads, each once. */
export function projectedLeaves(projection: FileProjection): ParquetLeaf[] {
  return [...new Set(projection.columns.flatMap(planLeaves))];
}

/** A file's leaves by the field id that each carries, or has by the name mapping. */
export function leavesByFieldId(
  file: Pick<ParquetFile, 'metadata'>,
  nameMapping: NameMapping | null,
): Map<FieldId, ParquetLeaf> {
  const leaves = new Map<FieldId, ParquetLeaf>();
  const visit = (shape: Shape): void => {
    if (shape.kind === 'leaf' && shape.fieldId !== null) leaves.set(shape.fieldId as FieldId, shape.node);
    shapeChildren(shape).forEach(visit);
  };
  fileShapes(file, nameMapping).forEach(visit);
  return leaves;
}

function fileShapes(file: Pick<ParquetFile, 'metadata'>, nameMapping: NameMapping | null): readonly Shape[] {
  const shapes = file.metadata.schema.columns.map(shapeOf);
  if (hasFieldIds(shapes)) return shapes;
  return nameMapping === null ? [] : mapNames(shapes, nameMapping);
}

function planField(field: NestedField, arrow: ArrowField, shape: Shape | null): ColumnPlan {
  if (shape === null) return planMissing(field, arrow.type);
  return planType(field, arrow.type, shape);
}

function planMissing(field: NestedField, type: ArrowType): ColumnPlan {
  if (field.initialDefault !== undefined && field.initialDefault !== null) {
    throw new ServiceError(
      'UNSUPPORTED_FEATURE',
      `field ${field.id} has a default value for files written before it was added: defaults are not read`,
    );
  }
  if (field.required) {
    throw new ServiceError(
      'CORRUPT_FILE',
      `a Parquet file lacks the column with field id ${field.id}, which the table requires`,
    );
  }
  return { kind: 'null', type };
}

function planType(field: NestedField, arrow: ArrowType, shape: Shape): ColumnPlan {
  const { type, required } = field;
  if (isPrimitive(type)) return planLeaf(field, arrow, shape);
  if (type.kind === 'struct' && arrow.kind === 'struct' && shape.kind === 'struct') {
    const known = byFieldId(shape.fields);
    const children = type.fields.map((child, at) => planField(child, arrow.fields[at]!, known.get(child.id) ?? null));
    return structPlan(shape, arrow, required, children);
  }
  if (type.kind === 'list' && arrow.kind === 'list' && shape.kind === 'list') {
    return listPlan(shape, arrow, required, planInner(type.element, arrow.element, shape.element));
  }
  if (type.kind === 'map' && arrow.kind === 'map' && shape.kind === 'map') {
    const key = planInner(type.key, arrow.key, shape.key);
    const value = planInner(type.value, arrow.value, shape.value);
    const entries: ArrowType = { kind: 'struct', fields: [arrow.key, arrow.value] };
    return listPlan(shape, arrow, required, { kind: 'entries', type: entries, key, value });
  }
  throw mismatch(field, shape, arrow);
}

/** An element, key or value belongs to its list or map: there is no other that it could be, and some writers leave its id out. */
const planInner = (field: NestedField, arrow: ArrowField, shape: Shape): ColumnPlan =>
  planField(field, arrow, shape.fieldId === null || shape.fieldId === field.id ? shape : null);

function planLeaf(field: NestedField, arrow: ArrowType, shape: Shape): ColumnPlan {
  if (arrow.kind === 'null') return { kind: 'null', type: arrow };
  const convert = shape.kind === 'leaf' ? leafConversion(shape.node, arrow) : null;
  if (shape.kind !== 'leaf' || convert === null) throw mismatch(field, shape, arrow);
  return { kind: 'leaf', leaf: shape.node, convert, required: field.required };
}

function mismatch(field: NestedField, shape: Shape, arrow: ArrowType): ServiceError {
  const stored = shape.kind === 'leaf' ? describeType(naturalType(shape.node)) : shape.kind;
  return new ServiceError(
    'SCHEMA_MISMATCH',
    `a Parquet file holds ${stored} under field id ${field.id}, which cannot be read as ${describeType(arrow)}`,
  );
}
