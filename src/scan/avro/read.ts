import { type AvroLimits, openContainer } from '../../catalog/avro/container.ts';
import { AvroCursor } from '../../catalog/avro/cursor.ts';
import { ServiceError } from '../../core/errors.ts';
import type { Limits } from '../../core/limits.ts';
import type { ArrowSchema, Batch } from '../arrow/column.ts';
import { BatchBudget } from './buffers.ts';
import { columnBuilder } from './builders.ts';
import { type AvroColumn, avroColumn } from './types.ts';

export interface AvroBatches {
  readonly schema: ArrowSchema;
  /** Decoded while iterated, at most `batchRowsDefault` rows each; none for a file without rows. */
  readonly batches: Iterable<Batch>;
}

export type AvroReadLimits = AvroLimits & Pick<Limits, 'batchRowsDefault' | 'messageBytesMax'>;

/**
 * An Avro container of records as Arrow batches. int and long are int32 and int64, enums utf8, uuids `arrow.uuid`, [null, X] in either
 * order a nullable X; timestamps have zone UTC, local ones none. Throws CORRUPT_FILE, LIMIT_EXCEEDED (also for a row that takes
 * more than `decompressedBytesMax` bytes as Arrow), and UNSUPPORTED_FEATURE for other unions, rows that are no records, and codecs
 * other than null, deflate, snappy and zstandard.
 */
export function avroToBatches(bytes: Uint8Array, limits: AvroReadLimits): AvroBatches {
  const { type, blocks } = openContainer(bytes, limits);
  if (type.kind !== 'record') {
    throw new ServiceError(
      'UNSUPPORTED_FEATURE',
      'Avro files are read whose rows are records, and this one has other rows',
    );
  }
  const columns = type.fields.map((field) => avroColumn(field));
  const schema: ArrowSchema = { fields: columns.map(({ field }) => field), metadata: new Map() };
  const batches = function* (): Generator<Batch> {
    let batch = new BatchBuilder(schema, columns, limits);
    for (const block of blocks) {
      const cursor = new AvroCursor(block.bytes);
      for (let row = 0; row < block.rows; row++) {
        batch.read(cursor);
        if (!batch.isFull) continue;
        yield batch.finish();
        batch = new BatchBuilder(schema, columns, limits);
      }
      if (cursor.left > 0) throw new ServiceError('CORRUPT_FILE', 'an Avro block has bytes after its last row');
    }
    if (batch.rows > 0) yield batch.finish();
  };
  return { schema, batches: { [Symbol.iterator]: batches } };
}

class BatchBuilder {
  rows = 0;
  readonly #schema: ArrowSchema;
  readonly #limits: AvroReadLimits;
  readonly #budget: BatchBudget;
  readonly #builders: readonly ReturnType<typeof columnBuilder>[];

  constructor(schema: ArrowSchema, columns: readonly AvroColumn[], limits: AvroReadLimits) {
    this.#schema = schema;
    this.#limits = limits;
    // What a batch holds before its last row is within `messageBytesMax`, so the rest is for that row alone.
    this.#budget = new BatchBudget(limits.messageBytesMax + limits.decompressedBytesMax);
    this.#builders = columns.map((column) => columnBuilder(column, this.#budget));
  }

  get isFull(): boolean {
    return this.rows >= this.#limits.batchRowsDefault || this.#budget.used >= this.#limits.messageBytesMax;
  }

  read(cursor: AvroCursor): void {
    for (const builder of this.#builders) builder.read(cursor);
    this.rows++;
  }

  finish(): Batch {
    return { schema: this.#schema, rows: this.rows, columns: this.#builders.map((builder) => builder.finish()) };
  }
}
