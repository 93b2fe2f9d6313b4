import { ServiceError } from '../../core/errors.ts';
import type { Limits } from '../../core/limits.ts';
import type { WireBatch } from '../../scan/arrow/column.ts';
import { createIpcEncoder, type EncodedMessage, type IpcEncoder } from '../../scan/arrow/ipc-write.ts';
import { withDictionaries } from '../../scan/arrow/kernels/dictionary-encode.ts';
import { nullColumn } from '../../scan/arrow/kernels/null-column.ts';
import { sliceColumn } from '../../scan/arrow/kernels/slice.ts';
import type { ScanServices, ScanWork } from '../../scan/plan.ts';
import type { Position } from '../../scan/shards.ts';
import { type ScanChunk, streamRange } from '../../scan/stream.ts';
import { type StreamSpec, scanWorkOf } from './stream-spec.ts';
import type { CursorSealer } from './tickets.ts';

/** One IPC message on its way out; `appMetadata` only with record batches. */
export interface StreamMessage extends EncodedMessage {
  readonly appMetadata?: Uint8Array | undefined;
}

/** What sending streams takes: everything here may live in any thread. */
export interface RunServices {
  readonly scan: ScanServices;
  readonly limits: Limits;
  readonly cursors: CursorSealer;
  readonly ticketTtlMs: number;
  readonly now: () => number;
}

/** What a running stream tells and asks of whoever opened it. */
export interface RunHooks {
  readonly scanned: (bytes: number, rows: number) => void;
  readonly sent: (bytes: number, rows: number) => void;
  /** Asked before each batch: throws once the stream must not go on. */
  readonly check: () => Promise<void>;
}

/** Sends what a spec says. Every stream has at least one record batch; each carries the cursor behind it. */
export async function* runRead(
  spec: StreamSpec,
  services: RunServices,
  hooks: RunHooks,
  signal: AbortSignal,
): AsyncGenerator<StreamMessage> {
  const encoder = createIpcEncoder(spec.work.schemas.arrow, spec.form);
  let sentRows = spec.sentRows;
  const encode = (batch: WireBatch, next: Position): StreamMessage[] => {
    sentRows += batch.rows;
    const held = spec.form.dictionaries ? withDictionaries(batch) : batch;
    const cursor = sealCursor(spec, next, sentRows, services);
    const out = withMetadata(encoder, held, JSON.stringify({ next: sentRows, cursor }));
    hooks.sent(
      out.reduce((sum, message) => sum + message.header.length + message.bodyBytes, 0),
      batch.rows,
    );
    return out;
  };

  let any = false;
  for await (const { batch, next } of chunksOf(spec, services, hooks, signal)) {
    any = true;
    await hooks.check();
    yield* encode(batch, next);
  }
  await hooks.check();
  if (!any) yield* encode(emptyBatch(spec.work), spec.range.end);
}

function sealCursor(spec: StreamSpec, next: Position, rows: number, services: RunServices): string {
  const { ticket, policyDigest, principal } = spec.cursor;
  const position = { file: next.file + spec.firstFile, row: next.row };
  // From now on, not from the stream's start: a stream that ran for longer than a ticket lives may still be resumed.
  const expiresAt = Math.floor((services.now() + services.ticketTtlMs) / 1000);
  return services.cursors.sealCursor({ ticket, policyDigest, position, rows }, principal, expiresAt);
}

async function* chunksOf(
  { work, range, form, maskKeys, dropRows, rowsLeft }: StreamSpec,
  { limits, scan }: RunServices,
  { scanned }: RunHooks,
  signal: AbortSignal,
): AsyncGenerator<ScanChunk> {
  const columnsBytes = work.schemas.arrow.fields.length * columnOverheadBytes;
  const options = {
    batchRows: form.batchRows,
    // A message of the target's size fits into the reserve that each stream has, whatever stalled readers hold.
    bytesTarget: Math.max(limits.messageBytesTarget - columnsBytes, limits.messageBytesTarget / 2),
    bytesMax: limits.messageBytesMax - messageOverheadBytes,
    maskKeys,
    rowsLeft,
    passFrom: form.compression === 'zstd' ? dropRows : null,
  };
  let toDrop = dropRows;
  for await (const chunk of streamRange(scanWorkOf(work), range, options, { ...scan, onRead: scanned }, signal)) {
    const { rows } = chunk.batch;
    if (toDrop >= rows) toDrop -= rows;
    else {
      yield toDrop === 0 ? chunk : { ...chunk, batch: tail(chunk.batch, toDrop) };
      toDrop = 0;
    }
  }
}

/** What a message holds besides its batch: header, app_metadata and framing. */
const messageOverheadBytes = 64 * 1024;
/** The padding and the description of a column's buffers. */
const columnOverheadBytes = 256;

const tail = (batch: WireBatch, from: number): WireBatch => ({
  schema: batch.schema,
  rows: batch.rows - from,
  columns: batch.columns.map((column) => {
    if (column.kind === 'stored') throw new ServiceError('INTERNAL', 'a page that is sent as it lies cannot be cut');
    return sliceColumn(column, from, batch.rows);
  }),
});

const emptyBatch = ({ schemas: { arrow } }: Pick<ScanWork, 'schemas'>): WireBatch => ({
  schema: arrow,
  rows: 0,
  columns: arrow.fields.map((field) => nullColumn(field.type, 0)),
});

function withMetadata(encoder: IpcEncoder, batch: WireBatch, metadata: string): StreamMessage[] {
  const out: StreamMessage[] = encoder.encode(batch);
  const last = out.length - 1;
  out[last] = { ...out[last]!, appMetadata: new TextEncoder().encode(metadata) };
  return out;
}
