import type { NestedField } from '../../catalog/schema/types.ts';
import type { Column } from '../../scan/arrow/column.ts';
import type { ParquetLimits } from '../../scan/parquet/metadata.ts';
import type { ParquetWriterOptions } from './writer-options.ts';

/** Rows that become one row group: plain data, so that any thread can encode it. */
export interface RowGroupJob {
  /** Of the stored schema; required where the file says so. */
  readonly fields: readonly NestedField[];
  /** One per field, without dictionaries. */
  readonly columns: readonly Column[];
  readonly rows: number;
  /** Leaves, by their places, of which row groups before showed that a dictionary does not pay. */
  readonly plainLeaves: ReadonlySet<number>;
  readonly options: ParquetWriterOptions;
  readonly limits: ParquetLimits;
}
