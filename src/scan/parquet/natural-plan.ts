import { type ArrowField, type ArrowType, fieldIdKey } from '../arrow/column.ts';
import { extensionMetadataKey, extensionNameKey } from '../arrow/iceberg.ts';
import { type ColumnPlan, listPlan, structPlan } from './column-plan.ts';
import { naturalType } from './leaf-type.ts';
import { leafConversion } from './leaf-values.ts';
import type { FileProjection } from './read.ts';
import type { ParquetSchema } from './schema.ts';
import { type Shape, shapeOf } from './shape.ts';

const uuidExtension = 'arrow.uuid';

/** Every column of a file in the Arrow types that say what the file says; field ids come along as metadata. */
export function projectWholeFile(schema: ParquetSchema): FileProjection {
  const planned = schema.columns.map((node) => planShape(shapeOf(node)));
  return { fields: planned.map(({ field }) => field), columns: planned.map(({ plan }) => plan) };
}

interface Planned {
  readonly field: ArrowField;
  readonly plan: ColumnPlan;
}

function planShape(shape: Shape): Planned {
  const named = (type: ArrowType): ArrowField => ({
    name: shape.name,
    type,
    nullable: shape.nullable,
    metadata: metadataOf(shape),
  });
  const required = !shape.nullable;
  switch (shape.kind) {
    case 'leaf': {
      const type = naturalType(shape.node);
      const convert = leafConversion(shape.node, type);
      if (type.kind === 'null' || convert === null)
        return { field: named({ kind: 'null' }), plan: { kind: 'null', type: { kind: 'null' } } };
      return { field: named(type), plan: { kind: 'leaf', leaf: shape.node, convert, required } };
    }
    case 'struct': {
      const children = shape.fields.map(planShape);
      const type: ArrowType = { kind: 'struct', fields: children.map(({ field }) => field) };
      const plans = children.map(({ plan }) => plan);
      return { field: named(type), plan: structPlan(shape, type, required, plans) };
    }
    case 'list': {
      const element = planShape(shape.element);
      const type: ArrowType = { kind: 'list', element: element.field };
      return { field: named(type), plan: listPlan(shape, type, required, element.plan) };
    }
    case 'map': {
      const key = planShape(shape.key);
      const value = planShape(shape.value);
      // Arrow has no null keys; files whose keys are marked optional hold none either.
      const keyField = { ...key.field, nullable: false };
      const type: ArrowType = { kind: 'map', key: keyField, value: value.field, keysSorted: false };
      const entries: ArrowType = { kind: 'struct', fields: [keyField, value.field] };
      const element = { kind: 'entries', type: entries, key: requirePlan(key.plan), value: value.plan } as const;
      return { field: named(type), plan: listPlan(shape, type, required, element) };
    }
    default:
      return shape satisfies never;
  }
}

function metadataOf(shape: Shape): ReadonlyMap<string, string> {
  const metadata = new Map<string, string>();
  if (shape.fieldId !== null) metadata.set(fieldIdKey, String(shape.fieldId));
  const uuid = shape.kind === 'leaf' && shape.node.logical?.kind === 'uuid' && shape.node.typeLength === 16;
  if (uuid) metadata.set(extensionNameKey, uuidExtension).set(extensionMetadataKey, '');
  return metadata;
}

const requirePlan = (plan: ColumnPlan): ColumnPlan => (plan.kind === 'null' ? plan : { ...plan, required: true });
