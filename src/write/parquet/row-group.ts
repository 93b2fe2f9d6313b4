import type { NestedField } from '../../catalog/schema/types.ts';
import type { Column } from '../../scan/arrow/column.ts';
import type { ParquetLimits } from '../../scan/parquet/metadata.ts';
import type { EncodedRowGroup } from './encoded-row-group.ts';
import { isPageCodec } from './pages/compress.ts';
import { encodePages } from './pages/encode.ts';
import { encodeInWasm } from './wasm-row-group.ts';
import type { ParquetWriterOptions } from './writer-options.ts';

/** Rows that become one row group: plain data, so that any thread can encode it. */
export interface RowGroupJob {
  /** Of the stored schema; required where the file says so. */
  readonly fields: readonly NestedField[];
  /** One per field, without dictionaries. */
  readonly columns: readonly Column[];
  readonly rows: number;
  readonly options: ParquetWriterOptions;
  readonly limits: ParquetLimits;
}

/**
 * Encodes a row group on this thread, which it holds for tens of milliseconds per 16 MB. Its pages may lie in `memory`, of any size.
 */
export function encodeRowGroup(job: RowGroupJob, memory: ArrayBuffer): EncodedRowGroup {
  const { fields, columns, rows, options, limits } = job;
  return isPageCodec(options.codec)
    ? encodePages(fields, columns, rows, options, memory)
    : encodeInWasm(fields, columns, rows, options, limits);
}
