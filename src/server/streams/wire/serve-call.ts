import { type Log, publicError } from '../../telemetry/log.ts';
import type { CallAccount, CallContext, FlightMethod } from './bulk-handlers.ts';
import type { CallHeaders } from './call-headers.ts';
import { readResumePoint, readToken, readTraceparent } from './call-metadata.ts';
import type { RpcCall } from './rpc-call.ts';
import type { Outcome } from './status.ts';

const unknownAccount: CallAccount = { team: 'unknown', workload: 'unknown' };

/** A call that is over, for the metrics. */
export interface EndedCall {
  readonly method: FlightMethod;
  readonly code: Outcome;
  readonly seconds: number;
}

export interface ServeCallOptions {
  readonly method: FlightMethod;
  readonly headers: CallHeaders;
  readonly messageBytesTarget: number;
  readonly log: Log;
  readonly ended: (call: EndedCall) => void;
}

/** Runs `serve` on a call, gives the call its status, and resolves once nothing of it is left on the wire. Never rejects. */
export async function serveCall(
  call: RpcCall,
  { method, headers, messageBytesTarget, log, ended }: ServeCallOptions,
  serve: (context: CallContext) => Promise<void>,
): Promise<void> {
  const started = performance.now();
  let account = unknownAccount;
  try {
    await serve({
      method,
      token: readToken(headers),
      resume: readResumePoint(headers),
      traceparent: readTraceparent(headers),
      messageBytesTarget,
      signal: call.signal,
      fail: (reason) => call.fail(reason),
      peer: call.peer,
      account: (known) => {
        account = known;
      },
    });
    call.succeed();
  } catch (error) {
    // A call that is over already has told its caller why: what the handler says after that is an echo.
    if (call.outcome === null) call.fail(publicError(log, error, { method, peer: call.peer }));
  }
  await call.closed;
  const seconds = (performance.now() - started) / 1_000;
  const code = call.outcome ?? 'CANCELLED';
  ended({ method, code, seconds });
  const { peer, sentBytes } = call;
  log.debug('call ended', {
    method,
    peer,
    code,
    bytes: sentBytes,
    durationMs: Math.round(seconds * 1_000),
    ...account,
  });
}
