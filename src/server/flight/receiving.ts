import { ServiceError } from '../../core/errors.ts';
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
export async function receiveUpload(call: RpcCall, bytesMax: number, timeoutMs: number): Promise<Upload> {
  const late = new ServiceError('DEADLINE_EXCEEDED', `no message came within ${timeoutMs} ms`);
  const timer = setTimeout(() => call.fail(late), timeoutMs);
  const bytes = await call.read().finally(() => clearTimeout(timer));
  if (bytes === null) throw new ServiceError('INVALID_REQUEST', 'the call carries no message');
  const first = decodeFlightData(bytes, bytesMax);
  return { descriptor: requireDescriptor(first.descriptor), messages: messagesFrom(first, call, bytesMax) };
}

async function* messagesFrom(
  first: ReceivedMessage,
  call: RpcCall,
  bytesMax: number,
): AsyncGenerator<ReceivedMessage, void, undefined> {
  // Some clients send the descriptor in a message of its own, before the schema.
  if (first.header.length > 0 || first.appMetadata.length > 0) yield first;
  for (let bytes = await call.read(); bytes !== null; bytes = await call.read()) {
    yield decodeFlightData(bytes, bytesMax);
  }
}

/** The payloads of a Handshake, as they come in. */
export async function* receivePayloads(
  call: RpcCall,
  decode: (input: Uint8Array) => Uint8Array,
  messagesMax: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  for (let read = 0; ; read++) {
    const bytes = await call.read();
    if (bytes === null) return;
    if (read === messagesMax) {
      throw new ServiceError('LIMIT_EXCEEDED', `a handshake has at most ${messagesMax} messages`);
    }
    yield decode(bytes);
  }
}
