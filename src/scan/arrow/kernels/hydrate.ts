import type { Column, DictionaryColumn } from '../column.ts';
import { bitAt } from './bitmap.ts';
import { type ByteBudget, unbounded } from './byte-budget.ts';
import { takeColumn } from './take.ts';

/** The same values without dictionaries at any depth; a column that has none comes back as it is. */
export function hydrate(column: Column, budget: ByteBudget = unbounded): Column {
  switch (column.kind) {
    case 'dictionary':
      return takeColumn(hydrate(column.dictionary, budget), dictionaryRows(column), budget);
    case 'list':
    case 'fixed-list': {
      const child = hydrate(column.child, budget);
      return child === column.child ? column : { ...column, child };
    }
    case 'struct': {
      const children = column.children.map((child) => hydrate(child, budget));
      return children.every((child, at) => child === column.children[at]) ? column : { ...column, children };
    }
    default:
      return column;
  }
}

/** Rows of the dictionary, -1 where the column is null. */
export function dictionaryRows(column: DictionaryColumn): Int32Array {
  if (column.validity === null) return column.indices;
  const rows = new Int32Array(column.length);
  for (let row = 0; row < rows.length; row++) rows[row] = bitAt(column.validity, row) === 1 ? column.indices[row]! : -1;
  return rows;
}
