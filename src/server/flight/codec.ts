import { decodeDescriptor, fromWireDescriptor, requireDescriptor } from '../streams/wire/descriptor.ts';
import type { ActionType, FlightDescriptor, FlightEndpoint, FlightInfo, PollInfo } from '../streams/wire/messages.ts';
import { bytesOf, malformed, readFields, textOf } from '../streams/wire/protobuf.ts';
import { onlyBytes } from '../streams/wire/small-messages.ts';
import { messageType } from './definition.ts';

const actionTypeCharsMax = 256;

export const decodeCriteria = (input: Uint8Array): Uint8Array => onlyBytes(input, 1, 'Criteria');
export const decodeHandshakeRequest = (input: Uint8Array): Uint8Array => onlyBytes(input, 2, 'HandshakeRequest');

/** Reads the descriptor that a call is about. Throws INVALID_REQUEST where it is empty. */
export const decodeRequiredDescriptor = (input: Uint8Array): FlightDescriptor =>
  requireDescriptor(decodeDescriptor(input));

export function decodeAction(input: Uint8Array): { readonly type: string; readonly body: Uint8Array } {
  const what = 'Action';
  let type = '';
  let body: Uint8Array = new Uint8Array(0);
  for (const field of readFields(input, what)) {
    if (field.number === 1) type = textOf(field, what);
    else if (field.number === 2) body = bytesOf(field, what);
  }
  if (type.length > actionTypeCharsMax) throw malformed(what, 'its type is too long');
  return { type, body };
}

const types = {
  info: messageType('FlightInfo'),
  pollInfo: messageType('PollInfo'),
  endpoint: messageType('FlightEndpoint'),
  schema: messageType('SchemaResult'),
  result: messageType('Result'),
  actionType: messageType('ActionType'),
  handshake: messageType('HandshakeResponse'),
};

export const encodeSchemaResult = (schema: Uint8Array): Buffer => types.schema.serialize({ schema });
export const encodeResult = (body: Uint8Array): Buffer => types.result.serialize({ body });
export const encodeActionType = (action: ActionType): Buffer => types.actionType.serialize(action);
export const encodeHandshakeResponse = (payload: Uint8Array): Buffer => types.handshake.serialize({ payload });
export const encodeFlightInfo = (info: FlightInfo): Buffer => types.info.serialize(wireInfo(info));
export const encodeFlightEndpoint = (endpoint: FlightEndpoint): Buffer =>
  types.endpoint.serialize(wireEndpoint(endpoint));

export function encodePollInfo({ info, next, progress, expiresAtMs }: PollInfo): Buffer {
  return types.pollInfo.serialize({
    info: wireInfo(info),
    ...(next === null ? {} : { flightDescriptor: wireDescriptor(next) }),
    ...(progress === null ? {} : { progress }),
    ...(expiresAtMs === null ? {} : { expirationTime: wireTime(expiresAtMs) }),
  });
}

export function wireInfo(info: FlightInfo): object {
  return {
    schema: info.schema,
    ...(info.descriptor === null ? {} : { flightDescriptor: wireDescriptor(info.descriptor) }),
    endpoint: info.endpoints.map((endpoint) => wireEndpoint(endpoint)),
    totalRecords: info.totalRecords,
    totalBytes: info.totalBytes,
    ordered: info.ordered,
    appMetadata: info.appMetadata,
  };
}

export function wireEndpoint({ ticket, locations, expiresAtMs, appMetadata }: FlightEndpoint): object {
  return {
    ticket: { ticket },
    location: locations.map((uri) => ({ uri })),
    ...(expiresAtMs === null ? {} : { expirationTime: wireTime(expiresAtMs) }),
    appMetadata,
  };
}

const wireDescriptor = (descriptor: FlightDescriptor): object =>
  descriptor.kind === 'cmd' ? { type: 'CMD', cmd: descriptor.cmd } : { type: 'PATH', path: descriptor.path };

const wireTime = (epochMs: number): object => ({
  seconds: Math.floor(epochMs / 1_000),
  nanos: (epochMs - Math.floor(epochMs / 1_000) * 1_000) * 1e6,
});

interface ReadTime {
  readonly seconds: string;
  readonly nanos: number;
}

interface ReadDescriptor {
  readonly type: 'UNKNOWN' | 'PATH' | 'CMD';
  readonly cmd: Uint8Array;
  readonly path: readonly string[];
}

export interface ReadEndpoint {
  readonly ticket: { readonly ticket: Uint8Array } | null;
  readonly location: readonly { readonly uri: string }[];
  readonly expirationTime: ReadTime | null;
  readonly appMetadata: Uint8Array;
}

export interface ReadInfo {
  readonly schema: Uint8Array;
  readonly flightDescriptor: ReadDescriptor | null;
  readonly endpoint: readonly ReadEndpoint[];
  readonly totalRecords: string;
  readonly totalBytes: string;
  readonly ordered: boolean;
  readonly appMetadata: Uint8Array;
}

/** A FlightInfo that a client hands back. */
export function fromReadInfo(info: ReadInfo): FlightInfo {
  const descriptor = info.flightDescriptor;
  return {
    schema: info.schema,
    descriptor:
      descriptor === null
        ? null
        : fromWireDescriptor({ ...descriptor, type: { UNKNOWN: 0, PATH: 1, CMD: 2 }[descriptor.type] ?? -1 }),
    endpoints: info.endpoint.map((endpoint) => fromReadEndpoint(endpoint)),
    totalRecords: Number(info.totalRecords),
    totalBytes: Number(info.totalBytes),
    ordered: info.ordered,
    appMetadata: info.appMetadata,
  };
}

/** An endpoint that a client hands back. */
export function fromReadEndpoint(endpoint: ReadEndpoint): FlightEndpoint {
  const time = endpoint.expirationTime;
  return {
    ticket: endpoint.ticket?.ticket ?? new Uint8Array(0),
    locations: endpoint.location.map(({ uri }) => uri),
    expiresAtMs: time === null ? null : Number(time.seconds) * 1_000 + Math.floor(time.nanos / 1e6),
    appMetadata: endpoint.appMetadata,
  };
}
