/** A Flight server over toy handlers, and tables as Flight messages, for the tests of the transport. */
import { tableFromArrays, tableToIPC } from 'apache-arrow';
import { ServiceError } from '../../../src/core/errors.ts';
import { defaultLimits, type Limits } from '../../../src/core/limits.ts';
import type { FlightHandlers } from '../../../src/server/flight/handlers.ts';
import { type FlightServer, startFlightServer } from '../../../src/server/flight/service.ts';
import { encapsulate } from '../../../src/server/streams/wire/flight-data.ts';
import type { FlightInfo, FlightMessage } from '../../../src/server/streams/wire/messages.ts';
import type { TlsMaterial } from '../../../src/server/streams/wire/tls-material.ts';
import { createLog } from '../../../src/server/telemetry/log.ts';
import { createMetrics, type Metrics } from '../../../src/server/telemetry/metrics.ts';

/** One batch of `rows` int32 values as a schema message and a batch message. */
export function toyMessages(rows: number, appMetadata?: Uint8Array): readonly [FlightMessage, FlightMessage] {
  const stream = tableToIPC(tableFromArrays({ n: Int32Array.from({ length: rows }, (_, row) => row) }), 'stream');
  const [schema, batch] = splitStream(stream);
  return [schema!, { ...batch!, appMetadata }];
}

/** The messages of an IPC stream (Arrow columnar format, "Encapsulated message format"). */
export function splitStream(stream: Uint8Array): FlightMessage[] {
  const bytes = Buffer.from(stream.buffer, stream.byteOffset, stream.length);
  const messages: FlightMessage[] = [];
  for (let at = 0; at + 8 <= bytes.length; ) {
    const length = bytes.readInt32LE(at + 4);
    if (length === 0) break;
    const header = bytes.subarray(at + 8, at + 8 + length);
    at += 8 + length;
    const bodyBytes = bodyLength(header);
    messages.push({ header, body: bodyBytes > 0 ? [bytes.subarray(at, at + bodyBytes)] : [], bodyBytes });
    at += bodyBytes;
  }
  return messages;
}

/** Field 3 of Message.fbs, read by hand. */
function bodyLength(header: Buffer): number {
  const root = header.readInt32LE(0);
  const table = root - header.readInt32LE(root);
  const offset = header.readUInt16LE(table) > 10 ? header.readUInt16LE(table + 10) : 0;
  return offset === 0 ? 0 : Number(header.readBigInt64LE(root + offset));
}

export function toyInfo(overrides: Partial<FlightInfo> = {}): FlightInfo {
  return {
    schema: encapsulate(toyMessages(0)[0].header),
    descriptor: null,
    endpoints: [],
    totalRecords: -1,
    totalBytes: -1,
    ordered: false,
    appMetadata: new Uint8Array(0),
    ...overrides,
  };
}

const absent = (): never => {
  throw new ServiceError('UNSUPPORTED_FEATURE', 'the toy does not do this');
};

/** The first pull throws, as a handler's does. */
const absentStream = (): AsyncIterable<never> => ({
  [Symbol.asyncIterator]: () => ({ next: async () => absent() }),
});

export const toyHandlers: FlightHandlers = {
  authenticate: async (call) => call.token ?? 'anonymous',
  handshake: absentStream,
  listFlights: absentStream,
  getFlightInfo: async () => absent(),
  pollFlightInfo: async () => absent(),
  getSchema: async () => absent(),
  doGet: absentStream,
  doPut: absentStream,
  doExchange: absentStream,
  doAction: absentStream,
  listActions: absentStream,
};

export interface Toy extends AsyncDisposable {
  readonly server: FlightServer;
  readonly metrics: Metrics;
  readonly port: number;
  log(): string;
}

export async function startToy(
  handlers: Partial<FlightHandlers>,
  options: { readonly limits?: Partial<Limits>; readonly tls?: TlsMaterial } = {},
): Promise<Toy> {
  const lines: string[] = [];
  const log = createLog('debug', { write: (line: string) => void lines.push(line) });
  const metrics = createMetrics(100);
  const server = await startFlightServer({
    handlers: { ...toyHandlers, ...handlers },
    host: '127.0.0.1',
    port: 0,
    tls: options.tls ?? null,
    limits: { ...defaultLimits, ...options.limits },
    log,
    metrics,
  });
  return {
    server,
    metrics,
    port: server.port,
    log: () => lines.join(''),
    [Symbol.asyncDispose]: async () => {
      await server.close();
      await metrics.close();
    },
  };
}
