import { isServiceError } from '../../core/errors.ts';
import type { Limits } from '../../core/limits.ts';
import { type RunServices, runRead } from './run-read.ts';
import { type RunWriteServices, runPut } from './run-write.ts';
import type { DeskCall, OpenRead, StreamDesk, StreamOutcome } from './stream-desk.ts';
import type { BulkHandlers, CallContext } from './wire/bulk-handlers.ts';
import type { FlightMessage } from './wire/messages.ts';

export interface BulkServices extends RunServices {
  readonly write: RunWriteServices;
  readonly limits: Limits;
}

/** The calls that carry data: the desk decides each, and this thread runs it. */
export function createBulkHandlers(desk: StreamDesk, services: BulkServices): BulkHandlers {
  return {
    async authenticate(call) {
      const { name, account } = await desk.authenticate(deskCall(call));
      call.account(account);
      return name;
    },

    async *doGet(call, ticket) {
      yield* send(await desk.openTicket(deskCall(call), ticket), call, services);
    },

    async *doExchange(call, descriptor) {
      yield* send(await desk.openExchange(deskCall(call), descriptor), call, services);
    },

    async *doPut(call, descriptor, messages) {
      const open = await desk.openPut(deskCall(call), descriptor);
      call.account(open.account);
      const result = await runPut(open, messages, services.write, call.signal);
      const answer = { snapshot_id: result.snapshotId, rows: result.rows, files: result.files };
      yield new TextEncoder().encode(JSON.stringify(answer));
    },
  };
}

const deskCall = ({ token, resume, traceparent, signal, fail }: CallContext): DeskCall => ({
  token,
  resume,
  traceparent,
  signal,
  fail,
});

async function* send(open: OpenRead, call: CallContext, services: BulkServices): AsyncGenerator<FlightMessage> {
  call.account(open.account);
  const { signal, messageBytesTarget } = call;
  let outcome: StreamOutcome | null = null;
  const opened = performance.now();
  let firstMs: number | null = null;
  let readerMs = 0;
  try {
    // What streams aim for depends on how many others there are.
    const run = { ...services, limits: { ...services.limits, messageBytesTarget } };
    for await (const message of runRead(open.spec, run, open, signal)) {
      const given = performance.now();
      firstMs ??= given - opened;
      yield message;
      readerMs += performance.now() - given;
    }
    outcome = 'complete';
  } catch (error) {
    outcome = isServiceError(error) ? error.code : 'INTERNAL';
    throw error;
  } finally {
    // A stream that is ended from outside is left at its last batch.
    open.end(outcome ?? (isServiceError(signal.reason) ? signal.reason.code : 'CANCELLED'), { firstMs, readerMs });
  }
}
