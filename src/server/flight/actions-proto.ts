/** Bodies of the actions that Flight itself defines. Each reader takes a plain body or one wrapped in an Any. */

import type { ActionType, FlightEndpoint, FlightInfo } from '../streams/wire/messages.ts';
import { bytesOf, malformed, readFields, textOf } from '../streams/wire/protobuf.ts';
import { unwrapAny } from './any.ts';
import { encodeFlightEndpoint, fromReadEndpoint, fromReadInfo, type ReadEndpoint, type ReadInfo } from './codec.ts';
import { messageType } from './definition.ts';

/** Flight's own actions, as ListActions shows them. */
export const flightActions: readonly ActionType[] = [
  {
    type: 'CancelFlightInfo',
    description: 'Cancels the streams of a FlightInfo: CancelFlightInfoRequest, CancelFlightInfoResult',
  },
  { type: 'RenewFlightEndpoint', description: 'Extends an endpoint: RenewFlightEndpointRequest, FlightEndpoint' },
  { type: 'SetSessionOptions', description: 'No option is defined: SetSessionOptionsRequest, SetSessionOptionsResult' },
  { type: 'GetSessionOptions', description: 'No option is defined: GetSessionOptionsRequest, GetSessionOptionsResult' },
  { type: 'CloseSession', description: 'No session is kept: CloseSessionRequest, CloseSessionResult' },
];

const optionsMax = 1_000;

/** Throws INVALID_REQUEST where the body is not a request or names no FlightInfo. */
export function decodeCancelFlightInfo(body: Uint8Array): FlightInfo {
  const { info } = decode<{ info: ReadInfo | null }>(body, 'CancelFlightInfoRequest');
  if (info === null) throw malformed('CancelFlightInfoRequest', 'it has no FlightInfo');
  return fromReadInfo(info);
}

export type CancelStatus = 'CANCELLED' | 'CANCELLING' | 'NOT_CANCELLABLE';

export const encodeCancelFlightInfoResult = (status: CancelStatus): Buffer =>
  messageType('CancelFlightInfoResult').serialize({ status: `CANCEL_STATUS_${status}` });

/** Throws INVALID_REQUEST where the body is not a request or names no endpoint. */
export function decodeRenewFlightEndpoint(body: Uint8Array): FlightEndpoint {
  const { endpoint } = decode<{ endpoint: ReadEndpoint | null }>(body, 'RenewFlightEndpointRequest');
  if (endpoint === null) throw malformed('RenewFlightEndpointRequest', 'it has no FlightEndpoint');
  return fromReadEndpoint(endpoint);
}

export const encodeRenewFlightEndpointResult = encodeFlightEndpoint;

/** The names in a SetSessionOptionsRequest, which is all that matters while no option is defined. */
export function decodeSetSessionOptions(body: Uint8Array): readonly string[] {
  const what = 'SetSessionOptionsRequest';
  const names: string[] = [];
  for (const entry of readFields(unwrapAny(body, what), what)) {
    if (entry.number !== 1) continue;
    if (names.length === optionsMax) throw malformed(what, `it sets more than ${optionsMax} options`);
    let name = '';
    for (const field of readFields(bytesOf(entry, what), what)) if (field.number === 1) name = textOf(field, what);
    names.push(name);
  }
  return names;
}

/** No option is defined, so each one that a client sets has an invalid name. */
export function encodeSetSessionOptionsResult(names: readonly string[]): Buffer {
  const errors = Object.fromEntries(names.map((name) => [name, { value: 'INVALID_NAME' }]));
  return messageType('SetSessionOptionsResult').serialize({ errors });
}

export const encodeGetSessionOptionsResult = (): Buffer => messageType('GetSessionOptionsResult').serialize({});

/** There is never a session to close. */
export const encodeCloseSessionResult = (): Buffer =>
  messageType('CloseSessionResult').serialize({ status: 'NOT_CLOSEABLE' });

/** What one of the three session actions answers, or null for another action. */
export function sessionAction(type: string, body: Uint8Array): Buffer | null {
  switch (type) {
    case 'SetSessionOptions':
      return encodeSetSessionOptionsResult(decodeSetSessionOptions(body));
    case 'GetSessionOptions':
      return encodeGetSessionOptionsResult();
    case 'CloseSession':
      return encodeCloseSessionResult();
    default:
      return null;
  }
}

function decode<Message>(body: Uint8Array, name: string): Message {
  const message = unwrapAny(body, name);
  // The protobuf library is lenient about truncated input; this pass is not.
  for (const field of readFields(message, name)) bytesOf(field, name);
  try {
    return messageType(name).deserialize(Buffer.from(message.buffer, message.byteOffset, message.length)) as Message;
  } catch (cause) {
    throw malformed(name, 'a nested message is damaged', cause);
  }
}
