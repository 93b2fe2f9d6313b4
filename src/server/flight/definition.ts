import { fileURLToPath } from 'node:url';
import type { ServiceDefinition } from '@grpc/grpc-js';
import { loadSync, type MessageTypeDefinition } from '@grpc/proto-loader';
import { flightMethods, pathOf } from '../streams/wire/bulk-handlers.ts';
import type { Frame } from '../streams/wire/flight-data.ts';

const protoFile = fileURLToPath(new URL('../../../proto/Flight.proto', import.meta.url));
const protoPackage = 'arrow.flight.protocol';

const definitions = loadSync(protoFile, {
  keepCase: false,
  longs: String,
  enums: String,
  defaults: true,
  arrays: true,
  objects: true,
  oneofs: true,
});

/** A message type of Flight.proto, by its short name. Values have camelCase fields; 64-bit integers are decimal strings when read. */
export function messageType(name: string): MessageTypeDefinition<object, object> {
  const definition = definitions[`${protoPackage}.${name}`];
  if (definition === undefined || !('serialize' in definition)) throw new Error(`Flight.proto has no message ${name}`);
  return definition as MessageTypeDefinition<object, object>;
}

/**
 * The service for grpc-js. Messages pass as bytes: they are read where a malformed one becomes a typed error, and written as frames that
 * are copied once. Every method is declared as streaming both ways, which looks the same on the wire, so that all of them are read one
 * message at a time under our own limits.
 */
export const serviceDefinition: ServiceDefinition = Object.fromEntries(
  flightMethods.map((method) => [
    method,
    {
      path: pathOf(method),
      requestStream: true,
      responseStream: true,
      requestSerialize: (bytes: Buffer) => bytes,
      requestDeserialize: (bytes: Buffer) => bytes,
      // grpc-js reads `byteLength` and calls `copy`, see flightDataFrame.
      responseSerialize: (frame: Frame) => frame as Frame & Buffer,
      responseDeserialize: (bytes: Buffer) => bytes,
    },
  ]),
);
