import { ServiceError } from '../../core/errors.ts';
import type { Column, ListColumn } from '../arrow/column.ts';
import { countSetBits } from '../arrow/kernels/bitmap.ts';
import { nullColumn } from '../arrow/kernels/null-column.ts';
import type { ColumnPlan, ListPlan, MapEntries } from './column-plan.ts';
import { planLeaves } from './column-plan.ts';
import type { ParquetLeaf } from './schema.ts';

/** One node of a decoded chain: the list around it where it is repeated, and its struct or values. */
interface Link {
  readonly list: ListColumn | null;
  readonly item: Column;
}

/** The decoded leaves of some rows, by the leaf's place. */
export interface DecodedLeaves {
  readonly rows: number;
  readonly links: ReadonlyMap<number, readonly Link[]>;
}

const corrupt = (problem: string): ServiceError =>
  new ServiceError('CORRUPT_FILE', `a Parquet column is damaged: ${problem}`);

/** Takes a decoded chain (`openLeaf`) apart. */
export function linksOf(leaf: ParquetLeaf, column: Column): readonly Link[] {
  const links: Link[] = [];
  let at = column;
  for (const node of leaf.chain) {
    let list: ListColumn | null = null;
    if (node.repetition === 'repeated') {
      if (at.kind !== 'list') throw corrupt('a repeated field does not decode to a list');
      list = at;
      at = at.child;
    }
    links.push({ list, item: at });
    if (node.kind === 'leaf') break;
    if (at.kind !== 'struct' || at.children.length !== 1) throw corrupt('a group does not decode to a struct');
    at = at.children[0]!;
  }
  return links;
}

/** Builds a wanted column of `decoded.rows` rows. Throws CORRUPT_FILE where leaves of one list disagree or a required value is null. */
export function assembleColumn(plan: ColumnPlan, decoded: DecodedLeaves): Column {
  return assemble(plan, decoded, decoded.rows, null);
}

function assemble(plan: ColumnPlan, decoded: DecodedLeaves, length: number, parentValidity: Uint8Array | null): Column {
  switch (plan.kind) {
    case 'null':
      return nullColumn(plan.type, length);
    case 'leaf': {
      const column = lastItem(plan.leaf, decoded);
      checkLength(column, length);
      return plan.convert(plan.required ? withoutNulls(column, parentValidity) : column);
    }
    case 'struct': {
      const { item } = linkAt(plan.carrier, plan.depth, decoded);
      checkLength(item, length);
      const own = plan.required ? withoutNulls(item, parentValidity) : item;
      const children = plan.children.map((child) => assemble(child, decoded, length, item.validity));
      return { kind: 'struct', type: plan.type, length, nullCount: own.nullCount, validity: own.validity, children };
    }
    case 'list':
      return assembleList(plan, decoded, length, parentValidity);
    default:
      return plan satisfies never;
  }
}

function assembleList(
  plan: ListPlan,
  decoded: DecodedLeaves,
  length: number,
  parentValidity: Uint8Array | null,
): Column {
  const outer = plan.depth === null ? null : linkAt(plan.carrier, plan.depth, decoded).item;
  const { list } = linkAt(plan.carrier, plan.repeatedDepth, decoded);
  if (list === null) throw corrupt('a list does not decode to a list');
  checkLength(list, length);
  if (outer !== null) checkLength(outer, length);
  for (const leaf of planLeaves(plan)) {
    const other = linkAt(leaf, plan.repeatedDepth, decoded).list;
    if (other !== list && !sameOffsets(list, other)) throw corrupt('the columns of one list differ in their lengths');
  }
  const own = outer !== null && plan.required ? withoutNulls(outer, parentValidity) : outer;
  const child = assembleElement(plan.element, decoded, list.child.length);
  const { type } = plan;
  return {
    kind: 'list',
    type,
    length,
    nullCount: own?.nullCount ?? 0,
    validity: own?.validity ?? null,
    offsets: list.offsets,
    child,
  };
}

function assembleElement(element: ColumnPlan | MapEntries, decoded: DecodedLeaves, length: number): Column {
  if (element.kind !== 'entries') return assemble(element, decoded, length, null);
  const children = [assemble(element.key, decoded, length, null), assemble(element.value, decoded, length, null)];
  return { kind: 'struct', type: element.type, length, nullCount: 0, validity: null, children };
}

function linkAt(leaf: ParquetLeaf, depth: number, decoded: DecodedLeaves): Link {
  const link = decoded.links.get(leaf.index)?.[depth];
  if (link === undefined) throw new ServiceError('INTERNAL', 'a Parquet column was planned but not decoded');
  return link;
}

const lastItem = (leaf: ParquetLeaf, decoded: DecodedLeaves): Column =>
  linkAt(leaf, leaf.chain.length - 1, decoded).item;

function checkLength(column: Column, length: number): void {
  if (column.length !== length) throw corrupt(`a nested column has ${column.length} values where ${length} belong`);
}

function sameOffsets(list: ListColumn, other: ListColumn | null): boolean {
  if (other === null || other.length !== list.length) return false;
  for (let row = 0; row <= list.length; row++) if (list.offsets[row] !== other.offsets[row]) return false;
  return true;
}

/** A required value may only be null below a null parent, whose own bitmap then says so. */
function withoutNulls(column: Column, parentValidity: Uint8Array | null): Column {
  if (column.nullCount === 0 || column.validity === null || column.kind === 'null') return column;
  const nulls = column.length - countSetBits(column.validity, column.length);
  let explained = 0;
  if (parentValidity !== null) {
    for (let row = 0; row < column.length; row++) {
      const bit = 1 << (row & 7);
      if ((column.validity[row >> 3]! & bit) === 0 && (parentValidity[row >> 3]! & bit) === 0) explained++;
    }
  }
  if (explained !== nulls) throw corrupt('a column that the table requires holds a null');
  return { ...column, nullCount: 0, validity: null };
}
