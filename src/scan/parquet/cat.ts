import { throwIfCancelled } from '../../core/cancellation.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import type { ArrowSchema, Batch } from '../arrow/column.ts';
import { openParquet } from './footer.ts';
import type { ParquetLimits } from './metadata.ts';
import { projectWholeFile } from './natural-plan.ts';
import { openRowGroup } from './read.ts';

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
 * rows; of a row group, whose bytes are read at once, about a batch is decoded at a time.
 */
export async function parquetToBatches(options: ParquetToBatchesOptions): Promise<ParquetBatches> {
  const { limits, signal } = options;
  const file = await openParquet(options);
  const projection = projectWholeFile(file.metadata.schema);
  const schema: ArrowSchema = { fields: projection.fields, metadata: new Map() };
  async function* batches(): AsyncGenerator<Batch> {
    for (const [rowGroup, group] of file.metadata.rowGroups.entries()) {
      const batchRows = limits.batchRowsDefault;
      const reader = await openRowGroup({ file, projection, rowGroup, batchRows, signal });
      for (let start = 0; start < group.rows; start += batchRows) {
        throwIfCancelled(signal);
        const end = Math.min(group.rows, start + batchRows);
        yield { schema, rows: end - start, columns: reader.read({ start, end }) };
      }
    }
  }
  return { schema, batches: batches() };
}
