import type { Schema } from '../../catalog/schema/types.ts';
import type { TableDecision } from '../../core/access.ts';
import type { Expression } from '../../core/expression.ts';
import type { PutRequest } from '../../core/requests.ts';

/** A write decided: plain data that whichever thread has the writer's connection acts on; see {@link ../streams/run-write.ts}. */
export interface PutSpec {
  readonly request: PutRequest;
  readonly principal: string;
  /** What the writer may know of the table's columns; null = everything. */
  readonly columns: TableDecision['columns'] | null;
  /** Whether the writer may read the table: it then fills no column that it does not see. */
  readonly reads: boolean;
  /** Which rows the writer could read back, and so may write; null = all. */
  readonly rows: RowRule | null;
}

export interface RowRule {
  readonly filter: Expression;
  /** Of the table: a filter's field may have been dropped since. */
  readonly schemas: readonly Schema[];
}
