import { createHash } from 'node:crypto';
import { indexSchema } from '../../catalog/schema/lookup.ts';
import type { Schema } from '../../catalog/schema/types.ts';
import { isServiceError, ServiceError } from '../../core/errors.ts';
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
import { parseFilterSource } from './scan-terms.ts';
import type { OpenPut, StreamOutcome } from './stream-desk.ts';
import type { PutSpec } from './write-spec.ts';

/** One IPC message as a client sent it. */
export interface IncomingMessage {
  readonly header: Uint8Array;
  readonly body: Uint8Array;
  readonly appMetadata?: Uint8Array | undefined;
}

/** What writing takes besides the catalog: everything here may live in any thread. */
export interface RunWriteServices {
  readonly ingest: Omit<IngestServices, 'catalog'> & Pick<IngestServices['catalog'], 'objects'>;
  readonly limits: Limits;
}

/** Writes the rows of one opened DoPut as one commit, and ends it. `messages` starts with the schema. */
export async function runPut(
  open: OpenPut,
  messages: AsyncIterable<IncomingMessage>,
  { ingest: { objects, ...rest }, limits }: RunWriteServices,
  signal: AbortSignal,
): Promise<IngestResult> {
  const { spec } = open;
  const { request } = spec;
  let outcome: StreamOutcome = 'INTERNAL';
  let result: IngestResult | null = null;
  let columns: readonly number[] = [];
  try {
    const overwriteFilter = parseFilterSource(request.overwriteFilter, limits);
    const incoming = await decodeMessages(messages, limits, (bytes) => open.received(bytes));
    const digest = requestDigest(request);
    const admitRows = rowCheck(spec);
    const input = {
      request,
      overwriteFilter,
      schema: incoming.schema,
      batches: incoming.batches(digest),
      ...(spec.columns !== null && { rights: (schema: Schema) => fieldRights(schema, spec) }),
      admit: (batch: Batch, schema: Schema, firstRow: number): void => {
        columns = batch.schema.fields.map((field) => Number(field.metadata.get(fieldIdKey)));
        admitRows?.(batch, schema, firstRow);
      },
      principal: spec.principal,
      recheck: () => open.check(),
      digest: () => digest.text(),
    };
    result = await ingest(input, { ...rest, catalog: { ...open.catalog, objects } }, signal);
    outcome = 'complete';
    return result;
  } catch (error) {
    if (isServiceError(error)) outcome = error.code;
    throw error;
  } finally {
    open.end(outcome, { columns, rows: result?.rows ?? 0, snapshotId: result?.snapshotId ?? null });
  }
}

/**
 * For whom reads the table, a field that is excluded does not exist in writes either. Whoever may only write may fill every field, but is
 * told none that it does not name.
 */
function fieldRights(schema: Schema, { columns, reads }: PutSpec): FieldRights {
  const visible = indexSchema(visibleSchema(schema, columns ?? new Map())).byId;
  const named = (id: FieldId): boolean => visible.has(id);
  return { named, writable: reads ? named : () => true };
}

/** Refuses rows that their writer could not read back. */
function rowCheck({ rows }: PutSpec): ((batch: Batch, schema: Schema, firstRow: number) => void) | null {
  if (rows === null) return null;
  return (batch, schema, firstRow) => {
    const { filter } = bindRowFilter(rows.filter, [schema, ...rows.schemas]);
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
