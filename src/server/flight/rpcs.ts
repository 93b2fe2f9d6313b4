import type { Limits } from '../../core/limits.ts';
import {
  type BulkEnvironment,
  bulkCalls,
  bulkReceivedBytesMax,
  requestSlackBytes,
} from '../streams/wire/bulk-calls.ts';
import type { BulkMethod, CallContext, FlightMethod } from '../streams/wire/bulk-handlers.ts';
import { receiveOne, receivePayloads } from '../streams/wire/receiving.ts';
import type { RpcCall } from '../streams/wire/rpc-call.ts';
import { sendAll, untilCancelled } from '../streams/wire/sending.ts';
import { frameOf } from '../streams/wire/small-messages.ts';
import {
  decodeAction,
  decodeCriteria,
  decodeHandshakeRequest,
  decodeRequiredDescriptor,
  encodeActionType,
  encodeFlightInfo,
  encodeHandshakeResponse,
  encodePollInfo,
  encodeResult,
  encodeSchemaResult,
} from './codec.ts';
import type { FlightHandlers } from './handlers.ts';

const handshakeMessagesMax = 16;

export interface RpcEnvironment extends BulkEnvironment {
  readonly handlers: FlightHandlers;
}

/** Serves one call up to, but without, its status. */
export type Rpc = (call: RpcCall, context: CallContext, environment: RpcEnvironment) => Promise<void>;

/** A call of one request and one response. */
const unary =
  <Result>(
    serve: (handlers: FlightHandlers, context: CallContext, request: Uint8Array) => Promise<Result>,
    encode: (result: Result) => Buffer,
  ): Rpc =>
  async (call, context, { handlers, limits }) => {
    const request = await receiveOne(call, limits.requestReadMs);
    const result = await untilCancelled(serve(handlers, context, request), call.signal);
    await call.send(frameOf(encode(result)), null);
  };

/** A call of one request and a stream of small responses, each of which waits until the one before has left. */
const listing =
  <Item>(
    serve: (handlers: FlightHandlers, context: CallContext, request: Uint8Array) => AsyncIterable<Item>,
    encode: (item: Item) => Buffer,
  ): Rpc =>
  async (call, context, { handlers, limits }) => {
    const request = await receiveOne(call, limits.requestReadMs);
    await sendAll(call, serve(handlers, context, request), (item) => frameOf(encode(item)), null);
  };

const handshake: Rpc = async (call, context, { handlers, limits }) => {
  const payloads = receivePayloads(call, decodeHandshakeRequest, handshakeMessagesMax, limits.requestReadMs);
  await sendAll(
    call,
    handlers.handshake(context, payloads),
    (payload) => frameOf(encodeHandshakeResponse(payload)),
    null,
  );
};

/** How each call of the service is served. */
export const rpcs: Readonly<Record<FlightMethod, Rpc>> = {
  Handshake: handshake,
  ListFlights: listing(
    (handlers, call, request) => handlers.listFlights(call, decodeCriteria(request)),
    encodeFlightInfo,
  ),
  GetFlightInfo: unary(
    (handlers, call, request) => handlers.getFlightInfo(call, decodeRequiredDescriptor(request)),
    encodeFlightInfo,
  ),
  PollFlightInfo: unary(
    (handlers, call, request) => handlers.pollFlightInfo(call, decodeRequiredDescriptor(request)),
    encodePollInfo,
  ),
  GetSchema: unary(
    (handlers, call, request) => handlers.getSchema(call, decodeRequiredDescriptor(request)),
    encodeSchemaResult,
  ),
  ...bulkCalls,
  DoAction: listing((handlers, call, request) => {
    const { type, body } = decodeAction(request);
    return handlers.doAction(call, type, body);
  }, encodeResult),
  ListActions: listing((handlers, call) => handlers.listActions(call), encodeActionType),
};

/** Bytes that one incoming message of a call may have. */
export function receivedBytesMax(method: FlightMethod, limits: Limits): number {
  if (method in bulkCalls) return bulkReceivedBytesMax(method as BulkMethod, limits);
  return (method === 'DoAction' ? limits.commitBytesMax : limits.requestBytesMax) + requestSlackBytes;
}
