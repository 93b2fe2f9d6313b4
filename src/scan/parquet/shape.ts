import type { ParquetGroup, ParquetLeaf, ParquetNode } from './schema.ts';

/** What the nodes of a Parquet schema mean once the encodings of lists and maps are undone. */
export type Shape = LeafShape | StructShape | ListShape | MapShape;

interface ShapeBase {
  /** The name that the parent knows it by; `element`, `key` and `value` below lists and maps. */
  readonly name: string;
  readonly fieldId: number | null;
  /** Whether its own value may be null, apart from its parents'. */
  readonly nullable: boolean;
  /** Its node; for a list that is nothing but a repeated field, that field. */
  readonly node: ParquetNode;
}

export interface LeafShape extends ShapeBase {
  readonly kind: 'leaf';
  readonly node: ParquetLeaf;
}

export interface StructShape extends ShapeBase {
  readonly kind: 'struct';
  readonly fields: readonly Shape[];
}

export interface ListShape extends ShapeBase {
  readonly kind: 'list';
  readonly repeated: ParquetNode;
  readonly element: Shape;
}

export interface MapShape extends ShapeBase {
  readonly kind: 'map';
  readonly repeated: ParquetNode;
  readonly key: Shape;
  readonly value: Shape;
}

/** The shape of a top-level column or a struct's member (parquet-format, LogicalTypes.md, "Nested Types", with its old forms). */
export function shapeOf(node: ParquetNode): Shape {
  // A repeated field without a list around it is a required list of required elements.
  if (node.repetition === 'repeated') {
    const base = { name: node.name, fieldId: node.fieldId, nullable: false, node };
    return { kind: 'list', ...base, repeated: node, element: innerShape(node, 'element', null) };
  }
  return innerShape(node, node.name, node.fieldId);
}

/** The shape of one value of a node, its own repetition left aside. */
function innerShape(node: ParquetNode, name: string, fieldId: number | null): Shape {
  const base = { name, fieldId, nullable: node.repetition === 'optional' };
  if (node.kind === 'leaf') return { kind: 'leaf', ...base, node };
  const repeated = node.children.length === 1 ? node.children[0]! : null;
  if (repeated?.repetition === 'repeated') {
    if (node.logical?.kind === 'map' && repeated.kind === 'group' && repeated.children.length === 2) {
      const [key, value] = repeated.children as [ParquetNode, ParquetNode];
      if (key.repetition !== 'repeated' && value.repetition !== 'repeated') {
        const keyShape = innerShape(key, 'key', key.fieldId);
        const valueShape = innerShape(value, 'value', value.fieldId);
        return { kind: 'map', ...base, node, repeated, key: keyShape, value: valueShape };
      }
    }
    if (node.logical?.kind === 'list' || node.logical?.kind === 'map') {
      return { kind: 'list', ...base, node, repeated, element: elementShape(node, repeated) };
    }
  }
  return { kind: 'struct', ...base, node, fields: node.children.map(shapeOf) };
}

/** Whether the repeated node is itself the element, as older writers had it, or only wraps it. */
function elementShape(list: ParquetGroup, repeated: ParquetNode): Shape {
  const only = repeated.kind === 'group' && repeated.children.length === 1 ? repeated.children[0]! : null;
  const isElement =
    only === null ||
    only.repetition === 'repeated' ||
    (list.logical?.kind === 'list' && (repeated.name === 'array' || repeated.name === `${list.name}_tuple`));
  if (isElement) return innerShape(repeated, 'element', repeated.fieldId);
  return innerShape(only, 'element', only.fieldId);
}

/** The shapes directly below one. */
export function shapeChildren(shape: Shape): readonly Shape[] {
  switch (shape.kind) {
    case 'leaf':
      return [];
    case 'struct':
      return shape.fields;
    case 'list':
      return [shape.element];
    case 'map':
      return [shape.key, shape.value];
    default:
      return shape satisfies never;
  }
}

/** Every leaf below a shape, in the schema's order. */
export function shapeLeaves(shape: Shape): ParquetLeaf[] {
  return shape.kind === 'leaf' ? [shape.node] : shapeChildren(shape).flatMap(shapeLeaves);
}
