import { isServiceError } from '../../core/errors.ts';
import type { Limits } from '../../core/limits.ts';
import type { ByteBudget, StreamBudget } from '../streams/byte-budget.ts';
import {
  decodeAction,
  decodeCriteria,
  decodeHandshakeRequest,
  decodeRequiredDescriptor,
  decodeTicket,
  encodeActionType,
  encodeFlightInfo,
  encodeHandshakeResponse,
  encodePollInfo,
  encodePutResult,
  encodeResult,
  encodeSchemaResult,
  frameOf,
} from './codec.ts';
import { flightDataFrame } from './flight-data.ts';
import type { CallContext, FlightHandlers, FlightMethod } from './handlers.ts';
import { receiveOne, receivePayloads, receiveUpload } from './receiving.ts';
import type { RpcCall } from './rpc-call.ts';
import { sendAll, untilCancelled } from './sending.ts';
import type { UploadSlots } from './upload-slots.ts';

const handshakeMessagesMax = 16;

export interface RpcEnvironment {
  readonly handlers: FlightHandlers;
  readonly budget: ByteBudget;
  readonly uploads: UploadSlots;
  readonly limits: Limits;
  /** Told of each call that finds no place among the streams or uploads. */
  readonly refused: () => void;
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

const doGet: Rpc = async (call, context, environment) => {
  const { handlers, limits } = environment;
  await untilCancelled(handlers.authenticate(context), call.signal);
  const ticket = decodeTicket(await receiveOne(call, limits.requestReadMs));
  const stream = openStream(call, environment);
  await sendAll(call, handlers.doGet(within(context, stream), ticket), flightDataFrame, stream);
};

const doPut: Rpc = async (call, context, environment) => {
  const { handlers, limits } = environment;
  await openUpload(call, context, environment);
  const { descriptor, messages } = await receiveUpload(call, limits);
  const results = handlers.doPut(context, descriptor, messages);
  await sendAll(call, results, (appMetadata) => frameOf(encodePutResult(appMetadata)), null);
};

const doExchange: Rpc = async (call, context, environment) => {
  const { handlers, limits } = environment;
  await openUpload(call, context, environment);
  const { descriptor, messages } = await receiveUpload(call, limits);
  const stream = openStream(call, environment);
  const results = handlers.doExchange(within(context, stream), descriptor, messages);
  await sendAll(call, results, flightDataFrame, stream);
};

/** Places are for callers who said who they are: nobody else can take them up. */
async function openUpload(call: RpcCall, context: CallContext, environment: RpcEnvironment): Promise<void> {
  const { handlers, uploads } = environment;
  const principal = await untilCancelled(handlers.authenticate(context), call.signal);
  heldBy(call, () => uploads.open(principal), environment);
}

const openStream = (call: RpcCall, environment: RpcEnvironment): StreamBudget =>
  heldBy(call, () => environment.budget.open(), environment);

/** A message's frame and metadata, whose share of a small message is larger than of a usual one. */
const framingBytes = (reserve: number): number => Math.min(64 << 10, reserve >> 4);

const within = (context: CallContext, { reserve }: StreamBudget): CallContext => ({
  ...context,
  messageBytesTarget: reserve - framingBytes(reserve),
});

/** What `open` gives belongs to the call until its end. */
function heldBy<Place extends Disposable>(call: RpcCall, open: () => Place, { refused }: RpcEnvironment): Place {
  try {
    const place = open();
    void call.closed.then(() => place[Symbol.dispose]());
    return place;
  } catch (error) {
    if (isServiceError(error, 'LIMIT_EXCEEDED')) refused();
    throw error;
  }
}

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
  DoGet: doGet,
  DoPut: doPut,
  DoExchange: doExchange,
  DoAction: listing((handlers, call, request) => {
    const { type, body } = decodeAction(request);
    return handlers.doAction(call, type, body);
  }, encodeResult),
  ListActions: listing((handlers, call) => handlers.listActions(call), encodeActionType),
};

const uploading: ReadonlySet<FlightMethod> = new Set(['DoPut', 'DoExchange']);
/** What a request holds besides its body. */
const requestSlackBytes = 64 << 10;

/** Bytes that one incoming message of a call may have. */
export function receivedBytesMax(method: FlightMethod, limits: Limits): number {
  if (uploading.has(method)) return limits.messageBytesMax;
  const bodyBytesMax = method === 'DoAction' ? limits.commitBytesMax : limits.requestBytesMax;
  return bodyBytesMax + requestSlackBytes;
}
