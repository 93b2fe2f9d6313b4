import type { ArrowType } from '../arrow/column.ts';
import type { LeafConversion } from './leaf-values.ts';
import { type ParquetLeaf, repetitionLevelMax } from './schema.ts';
import { type ListShape, type MapShape, type Shape, type StructShape, shapeLeaves } from './shape.ts';

/**
 * How one wanted column is built from decoded leaves. `required`: a null in it that no null parent explains is damage. `carrier` is a
 * leaf whose chain tells the nulls and lengths of a nested column; `depth` is the place of the column's node in that chain.
 */
export type ColumnPlan = NullPlan | LeafPlan | StructPlan | ListPlan;

/** A column that the file lacks: nulls. */
export interface NullPlan {
  readonly kind: 'null';
  readonly type: ArrowType;
}

export interface LeafPlan {
  readonly kind: 'leaf';
  readonly leaf: ParquetLeaf;
  readonly convert: LeafConversion;
  readonly required: boolean;
}

export interface StructPlan {
  readonly kind: 'struct';
  readonly type: ArrowType;
  readonly carrier: ParquetLeaf;
  readonly depth: number;
  readonly required: boolean;
  readonly children: readonly ColumnPlan[];
}

/** A list, or a map, whose entries are a struct of key and value. */
export interface ListPlan {
  readonly kind: 'list';
  readonly type: ArrowType;
  readonly carrier: ParquetLeaf;
  /** Null where the list is a bare repeated node, which is never null. */
  readonly depth: number | null;
  readonly repeatedDepth: number;
  readonly required: boolean;
  readonly element: ColumnPlan | MapEntries;
}

export interface MapEntries {
  readonly kind: 'entries';
  readonly type: ArrowType;
  readonly key: ColumnPlan;
  readonly value: ColumnPlan;
}

export function structPlan(
  shape: StructShape,
  type: ArrowType,
  required: boolean,
  children: readonly ColumnPlan[],
): ColumnPlan {
  const carrier = children.flatMap(planLeaves)[0] ?? cheapestLeaf(shape);
  // A group without any column below it has nothing in the file that could make it null or not.
  if (carrier === null) return { kind: 'null', type };
  return { kind: 'struct', type, carrier, depth: shape.node.chain.length - 1, required, children };
}

export function listPlan(
  shape: ListShape | MapShape,
  type: ArrowType,
  required: boolean,
  element: ColumnPlan | MapEntries,
): ColumnPlan {
  const below = element.kind === 'entries' ? [element.key, element.value] : [element];
  const carrier = below.flatMap(planLeaves)[0] ?? cheapestLeaf(shape);
  if (carrier === null) return { kind: 'null', type };
  const bare = shape.repeated === shape.node;
  return {
    kind: 'list',
    type,
    carrier,
    depth: bare ? null : shape.node.chain.length - 1,
    repeatedDepth: shape.repeated.chain.length - 1,
    required,
    element,
  };
}

/** The leaves that a plan reads, carriers included; a leaf may come several times. */
export function planLeaves(plan: ColumnPlan): ParquetLeaf[] {
  switch (plan.kind) {
    case 'null':
      return [];
    case 'leaf':
      return [plan.leaf];
    case 'struct':
      return [plan.carrier, ...plan.children.flatMap(planLeaves)];
    case 'list': {
      const { element } = plan;
      const below = element.kind === 'entries' ? [element.key, element.value] : [element];
      return [plan.carrier, ...below.flatMap(planLeaves)];
    }
    default:
      return plan satisfies never;
  }
}

const physicalCost = {
  boolean: 0,
  int32: 1,
  float: 1,
  int64: 2,
  double: 2,
  int96: 3,
  fixed: 4,
  'byte-array': 5,
} as const;

/** A leaf whose levels tell a container's nulls: with as few repetitions below as can be, then the narrowest. */
function cheapestLeaf(shape: Shape): ParquetLeaf | null {
  const cost = (leaf: ParquetLeaf): number => repetitionLevelMax(leaf) * 8 + physicalCost[leaf.physical];
  let best: ParquetLeaf | null = null;
  for (const leaf of shapeLeaves(shape)) if (best === null || cost(leaf) < cost(best)) best = leaf;
  return best;
}
