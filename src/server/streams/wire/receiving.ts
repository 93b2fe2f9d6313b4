import { ServiceError } from '../../../core/errors.ts';
import type { Limits } from '../../../core/limits.ts';
import { requireDescriptor } from './descriptor.ts';
import { decodeFlightData } from './flight-data.ts';
import type { FlightDescriptor, ReceivedMessage } from './messages.ts';
import type { RpcCall } from './rpc-call.ts';

/** Reads the one message of a call that sends one. Throws INVALID_REQUEST for none or several, DEADLINE_EXCEEDED when it takes too long. */
export async function receiveOne(call: RpcCall, timeoutMs: number): Promise<Buffer> {
  const late = new ServiceError('DEADLINE_EXCEEDED', `the request was not complete within ${timeoutMs} ms`);
  const timer = setTimeout(() => call.fail(late), timeoutMs);
  try {
    const message = await call.read();
    if (message === null) throw new ServiceError('INVALID_REQUEST', 'the call carries no request message');
    if ((await call.read()) !== null) {
      throw new ServiceError('INVALID_REQUEST', 'the call carries more than one request message');
    }
    return message;
  } finally {
    clearTimeout(timer);
  }
}

export interface Upload {
  readonly descriptor: FlightDescriptor;
  /** To be read once. */
  readonly messages: AsyncIterable<ReceivedMessage>;
}

/** Reads the first message of a DoPut or DoExchange, which must name what the call is about, and gives the others as they are pulled. */
export async function receiveUpload(call: RpcCall, limits: UploadLimits): Promise<Upload> {
  const bytes = await readWithin(call, limits.requestReadMs, 'limits.requestReadMs');
  if (bytes === null) throw new ServiceError('INVALID_REQUEST', 'the call carries no message');
  const first = decodeFlightData(bytes, limits.messageBytesMax);
  return { descriptor: requireDescriptor(first.descriptor), messages: messagesFrom(first, call, limits) };
}

type UploadLimits = Pick<Limits, 'messageBytesMax' | 'requestReadMs' | 'uploadStallMs'>;

/** The next message; the call ends with DEADLINE_EXCEEDED where it is not complete in time. Time that nobody waits for it does not count. */
async function readWithin(call: RpcCall, timeoutMs: number, limit: string): Promise<Buffer | null> {
  const late = new ServiceError('DEADLINE_EXCEEDED', `no message was complete within ${timeoutMs} ms (${limit})`);
  const timer = setTimeout(() => call.fail(late), timeoutMs);
  return call.read().finally(() => clearTimeout(timer));
}

async function* messagesFrom(
  first: ReceivedMessage,
  call: RpcCall,
  { messageBytesMax, uploadStallMs }: UploadLimits,
): AsyncGenerator<ReceivedMessage, void, undefined> {
  // Some clients send the descriptor in a message of its own, before the schema.
  if (first.header.length > 0 || first.appMetadata.length > 0) yield first;
  for (;;) {
    const bytes = await readWithin(call, uploadStallMs, 'limits.uploadStallMs');
    if (bytes === null) return;
    yield decodeFlightData(bytes, messageBytesMax);
  }
}

/** The payloads of a Handshake, as they come in. */
export async function* receivePayloads(
  call: RpcCall,
  decode: (input: Uint8Array) => Uint8Array,
  messagesMax: number,
  timeoutMs: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  for (let read = 0; ; read++) {
    const bytes = await readWithin(call, timeoutMs, 'limits.requestReadMs');
    if (bytes === null) return;
    if (read === messagesMax) {
      throw new ServiceError('LIMIT_EXCEEDED', `a handshake has at most ${messagesMax} messages`);
    }
    yield decode(bytes);
  }
}
