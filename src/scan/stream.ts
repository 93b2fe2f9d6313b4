import { setImmediate } from 'node:timers/promises';
import type { Schema } from '../catalog/schema/types.ts';
import { throwIfCancelled } from '../core/cancellation.ts';
import { ServiceError } from '../core/errors.ts';
import type { FieldId } from '../core/ids.ts';
import type { Column, WireBatch } from './arrow/column.ts';
import { arrowSchemaOf } from './arrow/iceberg.ts';
import { columnBytes } from './arrow/kernels/bytes.ts';
import { sliceColumn } from './arrow/kernels/slice.ts';
import { takeColumn } from './arrow/kernels/take.ts';
import { createBatchCutter } from './batch-cutter.ts';
import { type BoundFilter, conjunction, referencedFields } from './filter/bind.ts';
import { evaluateFilter, selectedRows } from './filter/evaluate.ts';
import { after, joinPieces, type Piece, slicePiece, splitPieces } from './pieces.ts';
import type { ScanServices, ScanWork } from './plan.ts';
import { leafIds, pruneToLeaves } from './projection.ts';
import { prunablePart } from './prune/prunable.ts';
import { type ReadAheadSource, readAhead } from './read-ahead.ts';
import { createReadPool, type PoolShare } from './read-pool.ts';
import type { MaskKeys } from './restrict/masks.ts';
import { restrictBatch } from './restrict/restrict.ts';
import type { RowGroupRun } from './row-groups.ts';
import { leafColumn, shapeColumns, shapeWireColumns } from './shape.ts';
import { isBefore, type Position, type ShardRange } from './shards.ts';
import { type Stretch, type StretchContext, stretchesOf } from './stretches.ts';
import { visibleSchema } from './visible-schema.ts';

export interface StreamOptions {
  /** Rows of a batch at most; null = as many as make a message of about `bytesTarget`. */
  readonly batchRows: number | null;
  /** Bytes of a batch at most, unless one row has more. */
  readonly bytesTarget: number;
  /** No batch is larger; one row that is answers LIMIT_EXCEEDED. */
  readonly bytesMax: number;
  readonly maskKeys: MaskKeys;
  /** Rows that may still be sent; null = all. */
  readonly rowsLeft: number | null;
  /**
   * After how many rows of the range pages may be sent as they lie in the file, for a wire that carries zstd; null = never. It is done only
   * where nothing stands between file and caller: no restriction, no filter.
   */
  readonly passFrom: number | null;
}

export interface ScanChunk {
  readonly batch: WireBatch;
  /** Where a scan that continues after this batch starts. */
  readonly next: Position;
}

const batchRowsMin = 1_024;
const batchRowsMax = 65_536;
// What a string, a list or a map is taken to need, before anything of it was read.
const variableBytes = 24;

/**
 * Streams the rows of one range of a plan: row filter on raw values, then masks, then the caller's filter on what it may see.
 * Where a filter or a restriction is at work, batches are cut again by visible rows alone, so that their sizes say nothing about
 * hidden ones. Yields nothing for an empty range.
 *
 * @throws CANCELLED, CORRUPT_FILE, UNAVAILABLE, LIMIT_EXCEEDED.
 */
export async function* streamRange(
  plan: ScanWork,
  range: ShardRange,
  options: StreamOptions,
  services: ScanServices,
  signal: AbortSignal,
): AsyncGenerator<ScanChunk> {
  const pool = services.pool ?? createReadPool(services.limits);
  let { start } = range;
  let { rowsLeft, passFrom } = options;
  for (let isEvicted = true; isEvicted; ) {
    isEvicted = false;
    const share = pool.open();
    const chunks = scanRange(
      plan,
      { start, end: range.end },
      { ...options, rowsLeft, passFrom },
      services,
      share,
      signal,
    );
    // A reader that takes nothing may be read for again from here on: what its stream holds is not kept for it.
    const evict = (): void => {
      isEvicted = true;
      share.close();
      chunks.return(undefined).catch(() => undefined);
    };
    try {
      for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) {
        const { value } = next;
        start = value.next;
        if (rowsLeft !== null) rowsLeft -= value.batch.rows;
        if (passFrom !== null) passFrom = Math.max(0, passFrom - value.batch.rows);
        share.idle(evict);
        yield value;
        share.busy();
        if (isEvicted) break;
      }
    } finally {
      share.close();
      await chunks.return(undefined);
    }
  }
}

async function* scanRange(
  plan: ScanWork,
  range: ShardRange,
  options: StreamOptions,
  services: ScanServices,
  share: PoolShare,
  signal: AbortSignal,
): AsyncGenerator<ScanChunk> {
  const batchRows = options.batchRows ?? defaultBatchRows(plan, options.bytesTarget);
  const recut = plan.access.restricted || plan.rowFilter !== null || plan.clientFilter !== null;
  const cutter = createBatchCutter(batchRows, options.bytesTarget * valueShare);
  let rowsLeft = options.rowsLeft ?? Number.POSITIVE_INFINITY;
  const windows = { rowsMax: batchRows, bytesTarget: options.bytesTarget * valueShare };
  for await (const found of pieces(plan, range, windows, options, services, share, signal)) {
    if (rowsLeft <= 0) return;
    if ('next' in found) {
      rowsLeft -= found.batch.rows;
      yield found;
      continue;
    }
    const piece = found.rows > rowsLeft ? slicePiece(found, 0, rowsLeft) : found;
    rowsLeft -= piece.rows;
    if (!recut) yield* cutToBytes(piece.columns, [piece], plan, options);
    else for (const batch of cutter.push(piece)) yield* cutToBytes(joinPieces(batch), batch, plan, options);
    if (rowsLeft <= 0) break;
  }
  const last = cutter.end();
  if (last.length > 0) yield* cutToBytes(joinPieces(last), last, plan, options);
}

/** How much is decoded at a time. */
interface Windows {
  readonly rowsMax: number;
  readonly bytesTarget: number;
}

/**
 * The output rows of each window of each stretch, in order, the next stretches being fetched meanwhile; as a batch where their pages go as
 * they are.
 */
async function* pieces(
  plan: ScanWork,
  range: ShardRange,
  windows: Windows,
  options: StreamOptions,
  services: ScanServices,
  share: PoolShare,
  signal: AbortSignal,
): AsyncGenerator<Piece | ScanChunk> {
  const { maskKeys, rowsLeft } = options;
  const { nameMapping, files, pruneFilter, schemas } = plan;
  const { footers, limits, onRead } = services;
  const shaping = shapingOf(plan, maskKeys);
  const context: StretchContext = {
    nameMapping,
    files,
    pruneFilter,
    filter: shaping.rawFilter,
    read: schemas.read,
    wanted: shaping.wanted,
    footers,
    cache: services.cache ?? null,
    passes:
      options.passFrom !== null && !plan.access.restricted && plan.rowFilter === null && plan.clientFilter === null,
    limits,
    windowRows: (rowBytes) => windowRowsFor(rowBytes, windows),
    passed: { of: 0, passed: 0 },
    ...(onRead === undefined ? {} : { onRead }),
  };
  // A stream that may end soon does not read far ahead.
  const sourcesMax = rowsLeft !== null ? Math.min(2, limits.readAheadGroupsMax) : limits.readAheadGroupsMax;
  const stored = { ...options, schemas, sent: 0 };
  const room = { bytesMax: limits.readAheadBytesMax, sourcesMax, share };
  for await (const stretch of readAhead(stretchSources(plan, range, context), room, signal)) {
    try {
      yield* stretchPieces(stretch, windows, shaping, stored, signal);
    } finally {
      stretch.release();
    }
  }
}

async function* stretchPieces(
  stretch: Stretch,
  windows: Windows,
  shaping: Shaping,
  stored: StoredTerms,
  signal: AbortSignal,
): AsyncGenerator<Piece | ScanChunk> {
  let windowRows = windowRowsFor(stretch.rowBytes, windows);
  for (let start = 0; start < stretch.rows; ) {
    throwIfCancelled(signal);
    const pages = stretch.storedFrom(start);
    if (pages !== null) await stretch.prepare(start, pages.end);
    const chunk = storedChunk(stretch, start, shaping, stored);
    if (chunk !== null) {
      yield chunk;
      start += chunk.batch.rows;
      stored.sent += chunk.batch.rows;
      await setImmediate();
      continue;
    }
    const end = stretch.windowEnd(start, windowRows);
    const rows = end - start;
    await stretch.prepare(start, end);
    const raw = stretch.read(start, end);
    const piece = shapePiece(shaping, raw, { file: stretch.file, at: stretch.storedAt(start, end), rows });
    if (piece.rows > 0) yield piece;
    // What stands in dictionaries is larger than the file says: the next window is as large as this one suggests.
    const rawBytes = raw.reduce((sum, column) => sum + columnBytes(column), 0);
    windowRows = Math.min(windowRows, windowRowsFor(rawBytes / rows, windows));
    start = end;
    stored.sent += piece.rows;
    // Decoding does not await: between windows everybody else has a turn.
    await setImmediate();
  }
}

/** On what terms pages are sent as they lie. */
interface StoredTerms extends Pick<StreamOptions, 'passFrom' | 'rowsLeft' | 'bytesTarget' | 'bytesMax'> {
  readonly schemas: ScanWork['schemas'];
  /** Rows of the range that were sent. */
  sent: number;
}

/** How much larger than other batches those of whole pages may be. */
const storedTargets = 4;

/** A batch of pages as they lie, and what has to be decoded beside them; null where the rows from `start` on are no such batch. */
function storedChunk(stretch: Stretch, start: number, { wanted }: Shaping, terms: StoredTerms): ScanChunk | null {
  const { passFrom, rowsLeft, bytesTarget, bytesMax, schemas, sent } = terms;
  const stored = stretch.storedFrom(start);
  if (stored === null || passFrom === null || sent < passFrom) return null;
  const rows = stored.end - stored.start;
  const at = stretch.storedAt(start, stored.end);
  if (typeof at !== 'number' || (rowsLeft !== null && sent + rows > rowsLeft)) return null;
  const most = Math.min(bytesMax, storedTargets * bytesTarget);
  if (rows * stretch.rowBytes > most) return null;
  const columns = stretch.readBeside(stored);
  const bytes = columns.reduce((sum, one) => sum + (one.kind === 'stored' ? one.bytes : columnBytes(one)), 0);
  if (bytes > most) return null;
  const batch = { schema: schemas.arrow, rows, columns: shapeWireColumns(wanted, columns, schemas.output) };
  return { batch, next: { file: stretch.file, row: at + rows } };
}

function* stretchSources(
  plan: ScanWork,
  range: ShardRange,
  context: StretchContext,
): Generator<ReadAheadSource<Stretch>> {
  for (const planned of plan.runs) {
    const run = clipRun(planned, range);
    if (run !== null) yield (room, signal) => stretchesOf(context, run, room, signal);
  }
}

/** Rows that decode to about the target: a thousand long texts must not cost a thousand times what short ones do. */
function windowRowsFor(rowBytes: number, { rowsMax, bytesTarget }: Windows): number {
  const rows = Math.max(windowRowsMin, Math.floor(bytesTarget / Math.max(1, rowBytes)));
  return Math.min(rowsMax, rows - (rows % windowRowsMin));
}

// What is estimated are values; bitmaps come on top.
const valueShare = 0.95;
// Bitmaps of windows that are multiples of it need no shifting.
const windowRowsMin = 64;

function clipRun(run: RowGroupRun, range: ShardRange): RowGroupRun | null {
  const startRow = range.start.file === run.file ? Math.max(run.startRow, range.start.row) : run.startRow;
  const runEnd = run.startRow + run.rows;
  const endRow = range.end.file === run.file ? Math.min(runEnd, range.end.row) : runEnd;
  const first: Position = { file: run.file, row: startRow };
  if (startRow >= endRow || isBefore(first, range.start) || !isBefore(first, range.end)) return null;
  return { ...run, startRow, rows: endRow - startRow };
}

/** What happens to rows that passed on raw values. */
interface Shaping {
  readonly access: ScanWork['access'];
  readonly maskKeys: MaskKeys;
  /** What is still needed of them: what is sent, and what the filter below looks at. */
  readonly wanted: Schema;
  /** The same as the caller may see it. */
  readonly visible: Schema;
  readonly output: Schema;
  /** What can be said of raw values: the row filter, and of the caller's filter what speaks of raw columns alone. */
  readonly rawFilter: BoundFilter;
  /** The caller's filter, where raw values did not decide all of it; null = they did. */
  readonly filter: BoundFilter | null;
}

function shapingOf({ schemas, access, rowFilter, clientFilter }: ScanWork, maskKeys: MaskKeys): Shaping {
  const isRaw = (id: FieldId): boolean => access.columns.get(id)?.kind === 'raw';
  const fields = clientFilter === null ? new Set<FieldId>() : referencedFields(clientFilter);
  const filter = [...fields].every(isRaw) ? null : clientFilter;
  const rawFilter = conjunction([rowFilter ?? yes, clientFilter === null ? yes : prunablePart(clientFilter, isRaw)]);
  const wanted = pruneToLeaves(schemas.read, new Set([...leafIds(schemas.output), ...(filter === null ? [] : fields)]));
  const visible = access.restricted ? visibleSchema(wanted, access.columns) : wanted;
  return { access, maskKeys, wanted, visible, output: schemas.output, rawFilter, filter };
}

const yes: BoundFilter = { kind: 'true' };

function shapePiece(shaping: Shaping, raw: readonly Column[], { file, at, rows }: Omit<Piece, 'columns'>): Piece {
  const { access, wanted, visible, output, filter } = shaping;
  const columns = access.restricted
    ? restrictBatch({ schema: arrowSchemaOf(wanted), rows, columns: raw }, access.columns, shaping.maskKeys).columns
    : raw;
  const passing = filter === null ? null : select(filter, (id) => leafColumn(visible, columns, id), rows);
  const shaped = take(shapeColumns(visible, columns, output), passing);
  if (passing === null) return { columns: shaped, rows, file, at };
  const stored = passing.map((row) => (typeof at === 'number' ? at + row : at[row]!));
  return { columns: shaped, rows: passing.length, file, at: stored };
}

/** The rows where the filter is true; null = all of them. */
function select(filter: BoundFilter, find: (id: FieldId) => Column | null, rows: number): Int32Array | null {
  const columnOf = (id: FieldId): Column => {
    const column = find(id);
    if (column === null) throw new ServiceError('INTERNAL', `field ${id} of a filter was not read`);
    return column;
  };
  const selected = selectedRows(evaluateFilter(filter, columnOf, rows));
  return selected.length === rows ? null : selected;
}

const take = (columns: readonly Column[], rows: Int32Array | null): readonly Column[] =>
  rows === null ? columns : columns.map((column) => takeColumn(column, rows));

/** Slices that are each at most a message's size, by the bytes of the visible rows alone. */
function* cutToBytes(
  columns: readonly Column[],
  from: readonly Piece[],
  plan: ScanWork,
  options: StreamOptions,
): Generator<ScanChunk> {
  const rows = from.reduce((sum, piece) => sum + piece.rows, 0);
  const bytes = columns.reduce((sum, column) => sum + columnBytes(column), 0);
  const parts = Math.min(rows, Math.ceil(bytes / options.bytesTarget));
  if (parts > 1) {
    const step = Math.ceil(rows / parts);
    for (let start = 0; start < rows; start += step) {
      const end = Math.min(rows, start + step);
      const [before] = splitPieces(from, end);
      const [, slice] = splitPieces(before, start);
      yield* cutToBytes(
        columns.map((column) => sliceColumn(column, start, end)),
        slice,
        plan,
        options,
      );
    }
    return;
  }
  if (bytes > options.bytesMax) {
    throw new ServiceError(
      'LIMIT_EXCEEDED',
      `one row has ${bytes} bytes, more than a message may have (${options.bytesMax})`,
    );
  }
  const batch = { schema: plan.schemas.arrow, rows, columns };
  yield { batch, next: after(from[from.length - 1]!) };
}

/** From the output's types alone: what a row is taken to need must not depend on rows that are hidden. */
function defaultBatchRows(plan: ScanWork, bytesTarget: number): number {
  const widths = plan.schemas.arrow.fields.map(({ type }) => {
    if (type.kind === 'bool' || type.kind === 'null') return 1;
    if (type.kind === 'int' || type.kind === 'float' || type.kind === 'decimal') return type.bits / 8;
    if (type.kind === 'fixed-size-binary') return type.byteWidth;
    return type.kind === 'date' ? 4 : type.kind === 'time' || type.kind === 'timestamp' ? 8 : variableBytes;
  });
  const rowBytes = widths.reduce((sum, width) => sum + width, 0);
  const rows = Math.floor(bytesTarget / Math.max(1, rowBytes));
  // A multiple of 64 keeps every slice's bitmaps and values where they are, uncopied.
  return Math.max(batchRowsMin, Math.min(batchRowsMax, rows - (rows % 64)));
}
