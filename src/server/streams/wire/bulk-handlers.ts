import type { ServiceError } from '../../../core/errors.ts';
import type { FlightDescriptor, FlightMessage, ReceivedMessage } from './messages.ts';

/** The calls of the Flight service, as logs and metrics name them. */
export const flightMethods = [
  'Handshake',
  'ListFlights',
  'GetFlightInfo',
  'PollFlightInfo',
  'GetSchema',
  'DoGet',
  'DoPut',
  'DoExchange',
  'DoAction',
  'ListActions',
] as const;
export type FlightMethod = (typeof flightMethods)[number];

/** The calls that carry the data: those that the data plane serves. */
export type BulkMethod = 'DoGet' | 'DoPut' | 'DoExchange';

const servicePath = '/arrow.flight.protocol.FlightService/';

/** The gRPC path of a method. */
export const pathOf = (method: FlightMethod): string => servicePath + method;

/** The method that a gRPC path means, or null. */
export function methodOf(path: string): FlightMethod | null {
  const name = path.startsWith(servicePath) ? path.slice(servicePath.length) : '';
  return flightMethods.find((method) => method === name) ?? null;
}

/** Where a DoGet continues: a sealed cursor, or rows of the ticket's stream to skip. Null = from the start. */
export type ResumePoint =
  | { readonly kind: 'cursor'; readonly cursor: string }
  | { readonly kind: 'offset'; readonly rows: number };

/** What a handler knows about its call besides the request. */
export interface CallContext {
  readonly method: FlightMethod;
  /** The bearer token as the caller sent it, unverified; null where there is none. Never logged. */
  readonly token: string | null;
  readonly resume: ResumePoint | null;
  /** The caller's `traceparent` header as it came (W3C Trace Context). */
  readonly traceparent: string | null;
  /** Bytes that the body of one message of the answer aims for: fewer where many streams share the server. */
  readonly messageBytesTarget: number;
  /**
   * Fires when the caller cancels or disconnects, its deadline passes, it stalls, or the server's shutdown runs out of patience; the
   * reason is a ServiceError. No work of the call may survive it.
   */
  readonly signal: AbortSignal;
  /** Ends the call with an error at once, also while its reader takes nothing; fires `signal` with it. */
  readonly fail: (reason: ServiceError) => void;
  /** The caller's address, for logs. */
  readonly peer: string;
  /** Says on whose account the call goes, once that is known, for the metrics. */
  account(account: CallAccount): void;
}

export interface CallAccount {
  readonly team: string;
  readonly workload: string;
}

/**
 * The bulk calls behind the transport, the same for both planes. A handler throws ServiceError for what the caller is to know; anything
 * else becomes INTERNAL with an id. An iterable is pulled only as fast as its reader takes what it gives, and its `return` runs when the
 * call ends early.
 */
export interface BulkHandlers {
  /** The caller's name. Asked before a call takes up one of the places that are counted. Throws UNAUTHENTICATED. */
  authenticate(call: CallContext): Promise<string>;
  /**
   * The parts of a message are sent as they lie, so nobody may write to them until the call has ended or their bytes are given back to the
   * budget. They may be views of a SharedArrayBuffer.
   */
  doGet(call: CallContext, ticket: Uint8Array): AsyncIterable<FlightMessage>;
  /**
   * `messages` starts with the schema's message and is pulled one message at a time. Gives the `app_metadata` of each PutResult; those
   * given before the last message was read reach the client at once.
   */
  doPut(
    call: CallContext,
    descriptor: FlightDescriptor,
    messages: AsyncIterable<ReceivedMessage>,
  ): AsyncIterable<Uint8Array>;
  /** As doPut; clients that send only a descriptor give no messages at all. */
  doExchange(
    call: CallContext,
    descriptor: FlightDescriptor,
    messages: AsyncIterable<ReceivedMessage>,
  ): AsyncIterable<FlightMessage>;
}
