import { ServiceError } from '../../core/errors.ts';

/** Parquet's physical types by their numbers (parquet.thrift, `Type`). */
export const physicalTypes = ['boolean', 'int32', 'int64', 'int96', 'float', 'double', 'byte-array', 'fixed'] as const;
export type PhysicalType = (typeof physicalTypes)[number];

export type Repetition = 'required' | 'optional' | 'repeated';
export type ParquetTimeUnit = 'ms' | 'us' | 'ns';

/** A logical type, or the older converted type that says the same (parquet-format, LogicalTypes.md). */
export type LogicalType =
  | { readonly kind: 'string' | 'enum' | 'json' | 'bson' | 'uuid' | 'float16' | 'date' | 'list' | 'map' | 'unknown' }
  | { readonly kind: 'interval' | 'variant' | 'geometry' | 'geography' }
  | { readonly kind: 'decimal'; readonly precision: number; readonly scale: number }
  | { readonly kind: 'time' | 'timestamp'; readonly unit: ParquetTimeUnit; readonly utc: boolean }
  | { readonly kind: 'int'; readonly bits: 8 | 16 | 32 | 64; readonly signed: boolean };

interface NodeBase {
  readonly name: string;
  /** From the outermost column down to this node, the root left out. */
  readonly path: readonly string[];
  readonly fieldId: number | null;
  readonly repetition: Repetition;
  readonly logical: LogicalType | null;
  /** The nodes from the outermost column down to this one, this one included. */
  readonly chain: readonly ParquetNode[];
}

export interface ParquetGroup extends NodeBase {
  readonly kind: 'group';
  readonly children: readonly ParquetNode[];
}

export interface ParquetLeaf extends NodeBase {
  readonly kind: 'leaf';
  /** Its place among all leaves, which is its column chunk's place in every row group. */
  readonly index: number;
  readonly physical: PhysicalType;
  /** Bytes of one value of `fixed`; 0 otherwise. */
  readonly typeLength: number;
}

export type ParquetNode = ParquetGroup | ParquetLeaf;

export interface ParquetSchema {
  readonly columns: readonly ParquetNode[];
  readonly leaves: readonly ParquetLeaf[];
}

/** One element of the footer's flattened tree, as the footer says it. */
export interface SchemaElement {
  readonly name: string;
  readonly type: number | null;
  readonly typeLength: number | null;
  readonly repetition: number | null;
  readonly childCount: number | null;
  readonly fieldId: number | null;
  readonly logical: LogicalType | null;
}

const corrupt = (problem: string): ServiceError =>
  new ServiceError('CORRUPT_FILE', `the Parquet schema is damaged: ${problem}`);

/** Whether the file nests no deeper than the reader goes and every element has its place. Throws CORRUPT_FILE, LIMIT_EXCEEDED. */
export function buildSchema(elements: readonly SchemaElement[], depthMax: number): ParquetSchema {
  const root = elements[0];
  if (root === undefined) throw corrupt('it has no root');
  const leaves: ParquetLeaf[] = [];
  let at = 1;

  const readNode = (chain: readonly ParquetNode[]): ParquetNode => {
    const element = elements[at++];
    if (element === undefined) throw corrupt('a group names more children than there are elements');
    if (chain.length >= depthMax) {
      throw new ServiceError('LIMIT_EXCEEDED', `the Parquet schema nests deeper than ${depthMax} levels`);
    }
    const own: ParquetNode[] = [...chain];
    const base = {
      name: element.name,
      path: [...chain.map((node) => node.name), element.name],
      fieldId: element.fieldId,
      repetition: repetitionOf(element),
      logical: element.logical,
      chain: own,
    };
    if (element.type === null || (element.childCount ?? 0) > 0) {
      if (element.childCount === null) throw corrupt('an element has neither a type nor children');
      const children: ParquetNode[] = [];
      const group: ParquetGroup = { kind: 'group', ...base, children };
      own.push(group);
      readChildren(element.childCount, own, children);
      return group;
    }
    const leaf: ParquetLeaf = { kind: 'leaf', ...base, index: leaves.length, ...physicalOf(element) };
    own.push(leaf);
    leaves.push(leaf);
    return leaf;
  };
  const readChildren = (count: number, chain: readonly ParquetNode[], children: ParquetNode[]): void => {
    if (count < 0 || count > elements.length - at) throw corrupt('a group names more children than there are elements');
    for (let index = 0; index < count; index++) children.push(readNode(chain));
  };

  const columns: ParquetNode[] = [];
  readChildren(root.childCount ?? 0, [], columns);
  if (at !== elements.length) throw corrupt('elements lie outside of its tree');
  return { columns, leaves };
}

function repetitionOf(element: SchemaElement): Repetition {
  switch (element.repetition) {
    case 0:
      return 'required';
    case 1:
      return 'optional';
    case 2:
      return 'repeated';
    default:
      throw corrupt('an element has no repetition type');
  }
}

function physicalOf(element: SchemaElement): { physical: PhysicalType; typeLength: number } {
  const physical = physicalTypes[element.type!];
  if (physical === undefined) throw corrupt('an element has an unknown physical type');
  if (physical !== 'fixed') return { physical, typeLength: 0 };
  const typeLength = element.typeLength ?? -1;
  if (typeLength < 0 || typeLength > 1 << 20) throw corrupt('a fixed-length element has no valid length');
  return { physical, typeLength };
}

export const definitionLevelMax = (node: ParquetNode): number =>
  node.chain.filter((link) => link.repetition !== 'required').length;

export const repetitionLevelMax = (node: ParquetNode): number =>
  node.chain.filter((link) => link.repetition === 'repeated').length;
