import { createHash } from 'node:crypto';
import { type Auditor, auditOfDecision } from '../../auth/audit.ts';
import { indexSchema } from '../../catalog/schema/lookup.ts';
import type { Schema } from '../../catalog/schema/types.ts';
import type { Principal, TableDecision } from '../../core/access.ts';
import { type ErrorCode, isServiceError, ServiceError } from '../../core/errors.ts';
import { formatTable } from '../../core/identifier.ts';
import type { FieldId } from '../../core/ids.ts';
import type { Limits } from '../../core/limits.ts';
import type { PutRequest } from '../../core/requests.ts';
import { type ArrowSchema, type Batch, fieldIdKey } from '../../scan/arrow/column.ts';
import { createIpcDecoder } from '../../scan/arrow/ipc-read.ts';
import { bindRowFilter } from '../../scan/filter/bind.ts';
import { evaluateFilter } from '../../scan/filter/evaluate.ts';
import { leafColumn } from '../../scan/shape.ts';
import { visibleSchema } from '../../scan/visible-schema.ts';
import type { FieldRights } from '../../write/conform.ts';
import { type IngestResult, type IngestServices, ingest } from '../../write/ingest.ts';
import { type Gate, type SeenTable, who } from '../gate.ts';
import { parseFilterSource } from './scan-terms.ts';

/** One IPC message as a client sent it. */
export interface IncomingMessage {
  readonly header: Uint8Array;
  readonly body: Uint8Array;
  readonly appMetadata?: Uint8Array | undefined;
}

export interface WriteServices {
  readonly gate: Gate;
  readonly auditor: Auditor;
  readonly ingest: IngestServices;
  readonly limits: Limits;
  /** Told of a table that did not exist before, so that policies can look up its columns. Never fails: the commit is made. */
  readonly onCreated: (request: PutRequest) => Promise<void>;
}

export interface WriteObserver {
  readonly received: (bytes: number) => void;
  readonly committed: (rows: number) => void;
}

/**
 * Writes the rows of one DoPut as one commit. `messages` starts with the schema. `create` needs `write` on the namespace, the others
 * on the table. Whoever sees only some rows may append only such rows, and whoever does not see everything raw may not replace
 * what it cannot see.
 */
export async function writePut(
  request: PutRequest,
  messages: AsyncIterable<IncomingMessage>,
  principal: Principal,
  services: WriteServices,
  observer: WriteObserver,
  signal: AbortSignal,
): Promise<IngestResult> {
  const seen = await authorize(request, principal, services, signal);
  const overwriteFilter = parseFilterSource(request.overwriteFilter, services.limits);
  const tally = { bytes: 0, rows: 0 };
  let outcome: 'complete' | ErrorCode = 'INTERNAL';
  let snapshotId: string | null = null;
  let columns: readonly number[] = [];
  try {
    const incoming = await decodeMessages(messages, services.limits, (bytes) => {
      tally.bytes += bytes;
      observer.received(bytes);
    });
    const digest = requestDigest(request);
    const admitRows = rowCheck(seen);
    const input = {
      request,
      overwriteFilter,
      schema: incoming.schema,
      batches: incoming.batches(digest),
      ...(seen?.decision.restricted && { rights: (schema: Schema) => fieldRights(schema, seen.decision) }),
      admit: (batch: Batch, schema: Schema, firstRow: number): void => {
        columns = batch.schema.fields.map((field) => Number(field.metadata.get(fieldIdKey)));
        admitRows?.(batch, schema, firstRow);
      },
      principal: principal.name,
      recheck: () => services.gate.recheck(principal, seen, signal),
      digest: () => digest.text(),
    };
    const result = await ingest(input, services.ingest, signal);
    if (request.mode === 'create') await services.onCreated(request);
    outcome = 'complete';
    snapshotId = result.snapshotId;
    tally.rows = result.rows;
    observer.committed(result.rows);
    return result;
  } catch (error) {
    if (isServiceError(error)) outcome = error.code;
    throw error;
  } finally {
    services.auditor.record({
      kind: 'stream',
      direction: 'write',
      ...who(principal),
      table: formatTable(request.table),
      ...(seen === null
        ? { policyVersion: null, policyDigest: null, determinedBy: [] }
        : auditOfDecision(seen.decision)),
      snapshotId,
      columns,
      ...tally,
      outcome,
    });
  }
}

/** The table that is written to; null where it is to be created. */
async function authorize(
  request: PutRequest,
  principal: Principal,
  { gate }: WriteServices,
  signal: AbortSignal,
): Promise<SeenTable | null> {
  if (request.mode === 'create') {
    await gate.requireCreate(principal, request.table);
    return null;
  }
  const seen = await gate.see(principal, request.table, signal);
  gate.require(principal, seen, 'write');
  if (request.mode === 'overwrite' && seen.decision.restricted) {
    throw new ServiceError(
      'PERMISSION_DENIED',
      `${principal.name} does not see every row and column of ${formatTable(request.table)} as it is, and may not replace any`,
    );
  }
  return seen;
}

/**
 * For whom reads the table, a field that is excluded does not exist in writes either. Whoever may only write may fill every field, but is
 * told none that it does not name.
 */
function fieldRights(schema: Schema, { actions, columns }: TableDecision): FieldRights {
  const visible = indexSchema(visibleSchema(schema, columns)).byId;
  const named = (id: FieldId): boolean => visible.has(id);
  return { named, writable: actions.has('readTable') ? named : () => true };
}

/** Refuses rows that their writer could not read back. */
function rowCheck(seen: SeenTable | null): ((batch: Batch, schema: Schema, firstRow: number) => void) | null {
  const rowFilter = seen?.decision.rowFilter ?? null;
  if (seen === null || rowFilter === null || !seen.decision.actions.has('readTable')) return null;
  const { schemas } = seen.table.metadata;
  return (batch, schema, firstRow) => {
    const { filter } = bindRowFilter(rowFilter, [schema, ...schemas]);
    const admitted = evaluateFilter(
      filter,
      (id) =>
        leafColumn(schema, batch.columns, id) ?? fail('the row filter reads a column that the table no longer has'),
      batch.rows,
    );
    const refused = admitted.findIndex((value) => value !== 1);
    if (refused >= 0) fail(`row ${firstRow + refused} of the input is not one that the row filter lets its writer see`);
  };
}

function fail(message: string): never {
  throw new ServiceError('PERMISSION_DENIED', message);
}

interface Incoming {
  readonly schema: ArrowSchema;
  /** The batches; every byte goes into the digest as it comes. */
  batches(digest: RequestDigest): AsyncIterable<Batch>;
}

async function decodeMessages(
  messages: AsyncIterable<IncomingMessage>,
  limits: Limits,
  received: (bytes: number) => void,
): Promise<Incoming> {
  const decoder = createIpcDecoder(limits);
  const iterator = messages[Symbol.asyncIterator]();
  const first = await iterator.next();
  if (first.done === true) throw new ServiceError('INVALID_REQUEST', 'a write begins with a schema message; none came');
  const schema = decoder.readSchema(first.value.header);
  return {
    schema,
    async *batches(digest) {
      digest.update(first.value.header);
      for (;;) {
        const next = await iterator.next();
        if (next.done === true) return;
        const { header, body } = next.value;
        received(header.length + body.length);
        digest.update(header);
        digest.update(body);
        if (header.length === 0) {
          refuseAborted(next.value.appMetadata);
          continue;
        }
        const batch = decoder.readMessage(header, body);
        if (batch !== null) yield batch;
      }
    },
  };
}

/** What an idempotency key stands for: the request and every byte that came with it. */
interface RequestDigest {
  update(bytes: Uint8Array): void;
  text(): string;
}

/** Without a key nobody asks, and nothing is hashed. */
function requestDigest(request: PutRequest): RequestDigest {
  if (request.idempotencyKey === null) return { update: () => {}, text: () => '' };
  const hash = createHash('sha256').update(JSON.stringify({ ...request, table: formatTable(request.table) }));
  return { update: (bytes) => void hash.update(bytes), text: () => hash.copy().digest('hex') };
}

const abortMarkBytesMax = 64;

/**
 * A message without a header carries metadata alone. Flight clients cannot cancel an upload, and closing it looks like its end, so a
 * client whose rows broke off says so with a mark; any other metadata means nothing here.
 */
function refuseAborted(appMetadata: Uint8Array | undefined): void {
  if (appMetadata === undefined || appMetadata.length > abortMarkBytesMax) return;
  if (/^\s*\{\s*"abort"\s*:\s*true\s*\}\s*$/.test(new TextDecoder().decode(appMetadata))) {
    throw new ServiceError('CANCELLED', 'the writer broke the upload off: nothing was written');
  }
}
