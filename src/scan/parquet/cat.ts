import { throwIfCancelled } from '../../core/cancellation.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import type { ArrowSchema, Batch } from '../arrow/column.ts';
import { openParquet } from './footer.ts';
import type { ParquetLimits } from './metadata.ts';
import { projectWholeFile } from './natural-plan.ts';
import { readRowGroup } from './read.ts';

export interface ParquetToBatchesOptions {
  readonly objects: ObjectStore;
  readonly location: string;
  readonly limits: ParquetLimits & { readonly batchRowsDefault: number };
  readonly signal: AbortSignal;
}

export interface ParquetBatches {
  readonly schema: ArrowSchema;
  /** May be iterated once. */
  readonly batches: AsyncIterable<Batch>;
}

/**
 * Reads a whole file in its own schema, without any table: types as Arrow's Parquet readers choose them where no Arrow schema is
 * stored beside (unsigned and narrow integers kept, INT96 as nanoseconds, strings as utf8). Batches have at most `batchRowsDefault`
 * rows; a row group's chunks are read one batch's pages at a time where the file has an offset index.
 */
export async function parquetToBatches(options: ParquetToBatchesOptions): Promise<ParquetBatches> {
  const { limits, signal } = options;
  const file = await openParquet(options);
  const projection = projectWholeFile(file.metadata.schema);
  const schema: ArrowSchema = { fields: projection.fields, metadata: new Map() };
  async function* batches(): AsyncGenerator<Batch> {
    for (const [rowGroup, group] of file.metadata.rowGroups.entries()) {
      for (let start = 0; start < group.rows; start += limits.batchRowsDefault) {
        throwIfCancelled(signal);
        const rows = { start, end: Math.min(group.rows, start + limits.batchRowsDefault) };
        const read = await readRowGroup({ file, projection, rowGroup, rows, signal });
        yield { schema, rows: read.rows, columns: read.columns };
      }
    }
  }
  return { schema, batches: batches() };
}
