import type { BuiltCommit, CommitOptions, Table } from '../catalog/catalog-types.ts';
import type { DataFile } from '../catalog/manifest/types.ts';
import { currentSchemaOf } from '../catalog/metadata/time-travel.ts';
import type { Snapshot, TableMetadata } from '../catalog/metadata/types.ts';
import { parsePartitionBy, unpartitioned } from '../catalog/partition/spec.ts';
import type { PartitionSpec } from '../catalog/partition/types.ts';
import type { Schema } from '../catalog/schema/types.ts';
import { produceSnapshot } from '../catalog/snapshot/produce.ts';
import { throwIfCancelled } from '../core/cancellation.ts';
import { ServiceError } from '../core/errors.ts';
import type { Expression } from '../core/expression.ts';
import type { Limits } from '../core/limits.ts';
import { didYouMean } from '../core/nearest.ts';
import type { PutRequest } from '../core/requests.ts';
import type { ArrowSchema, Batch } from '../scan/arrow/column.ts';
import { icebergSchemaOf } from '../scan/arrow/iceberg.ts';
import { columnBytes } from '../scan/arrow/kernels/bytes.ts';
import { sliceColumn } from '../scan/arrow/kernels/slice.ts';
import type { FooterCache } from '../scan/footers.ts';
import { type FieldRights, planConform } from './conform.ts';
import { createFanOut, type FanOut } from './fan-out.ts';
import type { IngestCatalog, IngestCommit } from './ingest-catalog.ts';
import { branchHead, type Overwrite, planOverwrite } from './overwrite.ts';

export interface IngestInput {
  readonly request: PutRequest;
  /** The request's overwrite filter, parsed. */
  readonly overwriteFilter: Expression | null;
  readonly schema: ArrowSchema;
  readonly batches: AsyncIterable<Batch>;
  /** What the writer may know of the columns of the table; absent = everything. */
  readonly rights?: (schema: Schema) => FieldRights;
  /** Told each batch as it will be stored, before it is: throws to refuse it. */
  readonly admit: (batch: Batch, schema: Schema, firstRow: number) => void;
  /** Asked between batches and before the commit: throws once the writer's rights no longer hold. */
  readonly recheck?: () => Promise<void>;
  readonly principal: string;
  /** Of the whole request, known once all of it was read: what an idempotency key stands for. */
  readonly digest: () => string;
}

export interface IngestServices {
  readonly catalog: IngestCatalog;
  readonly footers: FooterCache;
  readonly limits: Limits;
  readonly now: () => number;
}

export interface IngestResult {
  readonly snapshotId: string;
  readonly rows: number;
  readonly files: number;
}

/**
 * Writes rows as one commit: create, append or overwrite. Files are written first, below the table's location; the commit makes
 * them visible all at once or not at all, and a refused one leaves nothing behind. Append and overwrite are tried again on top of what
 * others commit meanwhile; an overwrite that would miss rows added since it began is COMMIT_CONFLICT.
 *
 * @throws SCHEMA_MISMATCH, NOT_FOUND, ALREADY_EXISTS, COMMIT_CONFLICT, COMMIT_UNKNOWN, INVALID_REQUEST, LIMIT_EXCEEDED, CANCELLED.
 */
export async function ingest(input: IngestInput, services: IngestServices, signal: AbortSignal): Promise<IngestResult> {
  const replayed = await answeredBefore(input, services, signal);
  if (replayed !== null) return replayed;
  const target =
    input.request.mode === 'create'
      ? await createTarget(input, services)
      : await existingTarget(input, services, signal);
  const written = await writeRows(input, target, services, signal);
  try {
    const committed = await target.commit(written, signal);
    if (committed.replayed) await written.discard();
    return JSON.parse(committed.result!) as IngestResult;
  } catch (error) {
    if (!isUnknown(error)) await written.discard();
    throw error;
  }
}

const isUnknown = (error: unknown): boolean => error instanceof ServiceError && error.code === 'COMMIT_UNKNOWN';

/** Where the rows go, and how they become visible. */
interface Target {
  readonly metadata: TableMetadata;
  readonly schema: Schema;
  readonly spec: PartitionSpec;
  /** What is replaced; its surviving rows are written again. */
  readonly overwrite: Overwrite | null;
  commit(written: WrittenRows, signal: AbortSignal): Promise<IngestCommit>;
}

interface WrittenRows {
  readonly files: readonly DataFile[];
  /** Rows that came in, without those written again. */
  readonly rows: number;
  discard(): Promise<void>;
}

/**
 * What an earlier call with the same key was answered; null for a new one. The rows are read for their digest alone: whatever has
 * become of the table since, the answer stays.
 */
async function answeredBefore(
  { request, batches, principal, digest }: IngestInput,
  { catalog }: IngestServices,
  signal: AbortSignal,
): Promise<IngestResult | null> {
  const { idempotencyKey, mode, table } = request;
  const exists = mode === 'create' && (await catalog.tableExists(table));
  if (idempotencyKey === null) {
    if (exists) throw alreadyExists();
    return null;
  }
  if (!exists && !(await catalog.isKeyUsed(idempotencyKey))) return null;
  for await (const _ of batches) throwIfCancelled(signal);
  const committed = await catalog.recallCommit({ signal, idempotencyKey, principal, digest: digest() });
  if (committed !== null) return JSON.parse(committed.result!) as IngestResult;
  throw exists ? alreadyExists() : new ServiceError('COMMIT_UNKNOWN', keyForgotten);
}

const keyForgotten =
  'the idempotency key was forgotten while the rows were read: look for them before you send them again';

async function createTarget(input: IngestInput, services: IngestServices): Promise<Target> {
  const { request } = input;
  const { catalog } = services;
  if (input.schema.fields.length === 0) {
    throw new ServiceError('SCHEMA_MISMATCH', 'the input has no columns: a table needs at least one');
  }
  const schema = icebergSchemaOf(input.schema);
  const partitionSpec =
    request.partitionBy.length === 0 ? unpartitioned : parsePartitionBy(request.partitionBy, schema, { specId: 0 });
  const definition = {
    schema,
    partitionSpec,
    ...(request.formatVersion !== null && { formatVersion: request.formatVersion }),
  };
  const staged = await catalog.stageTable(request.table, definition);
  return {
    metadata: staged,
    schema: currentSchemaOf(staged),
    spec: defaultSpecOf(staged),
    overwrite: null,
    async commit(written, signal) {
      const built = await snapshotCommit({ metadata: staged }, input, written, null, 1, services, signal);
      const options = commitOptions(input, written, built.snapshot, signal);
      try {
        const committed = await catalog.createStaged(request.table, staged, built.updates, options);
        if (committed.replayed) await built.cleanup();
        return committed;
      } catch (error) {
        if (!isUnknown(error)) await built.cleanup();
        throw error;
      }
    },
  };
}

async function existingTarget(input: IngestInput, services: IngestServices, signal: AbortSignal): Promise<Target> {
  const { request } = input;
  const { catalog } = services;
  const table = await catalog.loadTable(request.table, signal);
  const { metadata } = table;
  requireBranch(metadata, request.branch);
  const context = { objects: catalog.objects, footers: services.footers, limits: services.limits };
  const overwrite =
    request.mode === 'overwrite'
      ? await planOverwrite(table, request.branch, input.overwriteFilter, context, signal)
      : null;
  return {
    metadata,
    schema: currentSchemaOf(metadata),
    spec: defaultSpecOf(metadata),
    overwrite,
    commit: (written, commitSignal) => {
      let attempt = 0;
      const build = async (current: Table): Promise<BuiltCommit> => {
        requireSameTable(metadata, current.metadata);
        requireBranch(current.metadata, request.branch);
        const deleted = overwrite === null ? null : await overwrite.deletedIn(current, commitSignal);
        const built = await snapshotCommit(current, input, written, deleted, ++attempt, services, commitSignal);
        return { ...built, result: resultOf(written, built.snapshot) };
      };
      return catalog.retryCommit(request.table, build, commitOptions(input, written, null, commitSignal));
    },
  };
}

async function writeRows(
  input: IngestInput,
  target: Target,
  services: IngestServices,
  signal: AbortSignal,
): Promise<WrittenRows> {
  const { metadata, schema, spec, overwrite } = target;
  const { objects } = services.catalog;
  const conformer = planConform(input.schema, schema, input.rights?.(schema));
  const { location, properties } = metadata;
  const fanOut = createFanOut({ objects, location, schema, spec, properties, limits: services.limits, signal });
  try {
    let rows = 0;
    for await (const batch of input.batches) {
      const conformed = conformer.conform(batch, rows);
      input.admit(conformed, schema, rows);
      refuseLongRows(conformed, rows, services.limits.rowBytesMax);
      await fanOut.write(conformed);
      rows += batch.rows;
      await input.recheck?.();
    }
    if (overwrite !== null) await rewriteSurvivors(overwrite, fanOut, signal);
    const files = await fanOut.finish();
    await input.recheck?.();
    return { files, rows, discard: () => fanOut.abort() };
  } catch (error) {
    await fanOut.abort();
    throw error;
  }
}

/** A row that no message could carry would never be read again. Looks closer only where a batch is larger than a row may be. */
function refuseLongRows(batch: Batch, firstRow: number, bytesMax: number): void {
  const bytes = batch.columns.reduce((sum, column) => sum + columnBytes(column), 0);
  if (bytes <= bytesMax) return;
  if (batch.rows <= 1) {
    throw new ServiceError(
      'LIMIT_EXCEEDED',
      `row ${firstRow} of the input has ${bytes} bytes; at most ${bytesMax} are stored`,
    );
  }
  const half = batch.rows >> 1;
  for (const [start, end] of [
    [0, half],
    [half, batch.rows],
  ] as const) {
    const columns = batch.columns.map((column) => sliceColumn(column, start, end));
    refuseLongRows({ schema: batch.schema, rows: end - start, columns }, firstRow + start, bytesMax);
  }
}

async function rewriteSurvivors(overwrite: Overwrite, fanOut: FanOut, signal: AbortSignal): Promise<void> {
  for await (const batch of overwrite.survivors(signal)) await fanOut.write(batch);
}

interface SnapshotCommit extends BuiltCommit {
  readonly snapshot: Snapshot;
  readonly cleanup: () => Promise<void>;
}

async function snapshotCommit(
  table: Pick<Table, 'metadata'>,
  input: IngestInput,
  written: WrittenRows,
  deleted: ReadonlySet<string> | null,
  attempt: number,
  services: IngestServices,
  signal: AbortSignal,
): Promise<SnapshotCommit> {
  const { objects } = services.catalog;
  const produced = await produceSnapshot({
    table,
    branch: input.request.branch,
    operation: deleted === null ? 'append' : 'overwrite',
    added: written.files,
    deleted: deleted ?? new Set(),
    objects,
    nowMs: services.now(),
    attempt,
    limits: services.limits,
    signal,
  });
  const { snapshot, requirements, updates } = produced;
  // The call may have been cancelled, which is no reason to leave its files behind.
  const cleanup = (): Promise<void> => objects.delete(produced.written, new AbortController().signal);
  return { snapshot, requirements, updates, cleanup };
}

function commitOptions(
  input: IngestInput,
  written: WrittenRows,
  snapshot: Snapshot | null,
  signal: AbortSignal,
): CommitOptions {
  const { idempotencyKey } = input.request;
  return {
    signal,
    ...(idempotencyKey !== null && { idempotencyKey, principal: input.principal, digest: input.digest() }),
    ...(snapshot !== null && { result: resultOf(written, snapshot) }),
  };
}

/** What is answered, now and to every later call with the same key. */
const resultOf = (written: WrittenRows, snapshot: Snapshot): string =>
  JSON.stringify({
    snapshotId: `${snapshot.snapshotId}`,
    rows: written.rows,
    files: written.files.length,
  } satisfies IngestResult);

function requireBranch(metadata: TableMetadata, branch: string): void {
  if (branch === 'main' || branchHead(metadata, branch) !== null) return;
  throw new ServiceError(
    'NOT_FOUND',
    `the table has no branch ${JSON.stringify(branch)}.${didYouMean(branch, metadata.refs.keys())}`,
  );
}

/** A retry meets whatever the table has become; rows that were conformed to another schema must not go in. */
function requireSameTable(before: TableMetadata, now: TableMetadata): void {
  if (now.tableUuid !== before.tableUuid)
    throw conflict('the table was replaced by another one while the rows were written');
  if (now.currentSchemaId !== before.currentSchemaId)
    throw conflict("the table's schema changed while the rows were written");
}

const conflict = (what: string): ServiceError => new ServiceError('COMMIT_CONFLICT', `${what}: send them again`);
const alreadyExists = (): ServiceError =>
  new ServiceError('ALREADY_EXISTS', 'the table exists already: use mode "append" or "overwrite"');

const defaultSpecOf = (metadata: TableMetadata): PartitionSpec =>
  metadata.partitionSpecs.find(({ specId }) => specId === metadata.defaultSpecId) ?? unpartitioned;
