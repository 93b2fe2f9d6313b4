import { isServiceError } from '../../../core/errors.ts';
import type { Limits } from '../../../core/limits.ts';
import type { StreamBudget } from '../byte-budget.ts';
import type { BulkHandlers, BulkMethod, CallContext } from './bulk-handlers.ts';
import { flightDataFrame } from './flight-data.ts';
import { receiveOne, receiveUpload } from './receiving.ts';
import type { RpcCall } from './rpc-call.ts';
import { sendAll, untilCancelled } from './sending.ts';
import { decodeTicket, encodePutResult, frameOf } from './small-messages.ts';

/** Places that calls take and give back: bytes in flight by stream, and uploads by principal. Both throw LIMIT_EXCEEDED. */
export interface BulkEnvironment {
  readonly handlers: BulkHandlers;
  readonly budget: { open(): StreamBudget };
  readonly uploads: { open(principal: string): Disposable | Promise<Disposable> };
  readonly limits: Limits;
  /** Told of each call that finds no place among the streams or uploads. */
  readonly refused: () => void;
}

/** Serves one call up to, but without, its status. */
export type BulkCall = (call: RpcCall, context: CallContext, environment: BulkEnvironment) => Promise<void>;

const doGet: BulkCall = async (call, context, environment) => {
  const { handlers, limits } = environment;
  await untilCancelled(handlers.authenticate(context), call.signal);
  const ticket = decodeTicket(await receiveOne(call, limits.requestReadMs));
  const stream = await openStream(call, environment);
  await sendAll(call, handlers.doGet(within(context, stream), ticket), flightDataFrame, stream);
};

const doPut: BulkCall = async (call, context, environment) => {
  const { handlers, limits } = environment;
  await openUpload(call, context, environment);
  const { descriptor, messages } = await receiveUpload(call, limits);
  const results = handlers.doPut(context, descriptor, messages);
  await sendAll(call, results, (appMetadata) => frameOf(encodePutResult(appMetadata)), null);
};

const doExchange: BulkCall = async (call, context, environment) => {
  const { handlers, limits } = environment;
  await openUpload(call, context, environment);
  const { descriptor, messages } = await receiveUpload(call, limits);
  const stream = await openStream(call, environment);
  const results = handlers.doExchange(within(context, stream), descriptor, messages);
  await sendAll(call, results, flightDataFrame, stream);
};

/** How each bulk call is served, on either plane. */
export const bulkCalls: Readonly<Record<BulkMethod, BulkCall>> = { DoGet: doGet, DoPut: doPut, DoExchange: doExchange };

/** Places are for callers who said who they are: nobody else can take them up. */
async function openUpload(call: RpcCall, context: CallContext, environment: BulkEnvironment): Promise<void> {
  const { handlers, uploads } = environment;
  const principal = await untilCancelled(handlers.authenticate(context), call.signal);
  await heldBy(call, async () => uploads.open(principal), environment);
}

const openStream = (call: RpcCall, environment: BulkEnvironment): Promise<StreamBudget> =>
  heldBy(call, async () => environment.budget.open(), environment);

/** A message's frame and metadata, whose share of a small message is larger than of a usual one. */
const framingBytes = (reserve: number): number => Math.min(64 << 10, reserve >> 4);

const within = (context: CallContext, { reserve }: StreamBudget): CallContext => ({
  ...context,
  messageBytesTarget: reserve - framingBytes(reserve),
});

/** What `open` gives belongs to the call until its end, also where that came first. */
async function heldBy<Place extends Disposable>(
  call: RpcCall,
  open: () => Promise<Place>,
  { refused }: BulkEnvironment,
): Promise<Place> {
  try {
    const place = await open();
    void call.closed.then(() => place[Symbol.dispose]());
    return place;
  } catch (error) {
    if (isServiceError(error, 'LIMIT_EXCEEDED')) refused();
    throw error;
  }
}

const uploading: ReadonlySet<string> = new Set<BulkMethod>(['DoPut', 'DoExchange']);
/** What a request holds besides its body. */
export const requestSlackBytes = 64 << 10;

/** Bytes that one incoming message of a bulk call may have. */
export const bulkReceivedBytesMax = (method: BulkMethod, limits: Limits): number =>
  uploading.has(method) ? limits.messageBytesMax : limits.requestBytesMax + requestSlackBytes;
