import { applyNameMapping, type NameMapping } from '../../catalog/schema/name-mapping.ts';
import { ServiceError } from '../../core/errors.ts';
import { type Shape, shapeChildren } from './shape.ts';

/** Whether any column, at any depth, carries a field id: then names never count (table spec, "Column Projection"). */
export function hasFieldIds(shapes: readonly Shape[]): boolean {
  return shapes.some((shape) => shape.fieldId !== null || hasFieldIds(shapeChildren(shape)));
}

/** The shapes with the ids that a name mapping gives them; a column that it does not name has none. */
export function mapNames(shapes: readonly Shape[], mapping: NameMapping): Shape[] {
  return shapes.map((shape) => mapShape(shape, [], mapping));
}

function mapShape(shape: Shape, parents: readonly string[], mapping: NameMapping): Shape {
  const path = [...parents, shape.name];
  const fieldId = applyNameMapping(mapping, path);
  switch (shape.kind) {
    case 'leaf':
      return { ...shape, fieldId };
    case 'struct':
      return { ...shape, fieldId, fields: shape.fields.map((field) => mapShape(field, path, mapping)) };
    case 'list':
      return { ...shape, fieldId, element: mapShape(shape.element, path, mapping) };
    case 'map':
      return {
        ...shape,
        fieldId,
        key: mapShape(shape.key, path, mapping),
        value: mapShape(shape.value, path, mapping),
      };
    default:
      return shape satisfies never;
  }
}

/** Siblings by field id. Throws CORRUPT_FILE where two share one. */
export function byFieldId(shapes: readonly Shape[]): ReadonlyMap<number, Shape> {
  const found = new Map<number, Shape>();
  for (const shape of shapes) {
    if (shape.fieldId === null) continue;
    if (found.has(shape.fieldId)) {
      throw new ServiceError('CORRUPT_FILE', `two columns of a Parquet file carry field id ${shape.fieldId}`);
    }
    found.set(shape.fieldId, shape);
  }
  return found;
}
