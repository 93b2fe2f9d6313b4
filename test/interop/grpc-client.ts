/** A Flight client of nothing but grpc-js, the definitions in `proto/` and apache-arrow: what a program in JavaScript would be. */
import { promisify } from 'node:util';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { type Client, credentials, loadPackageDefinition, Metadata, type ServiceError } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import {
  CompressionType,
  compressionRegistry,
  Message,
  RecordBatchReader,
  Table as Rows,
  type Table,
} from 'apache-arrow';
import { compressFrameSync, decompressFrameSync } from 'lz4-napi';

compressionRegistry.set(CompressionType.ZSTD, { encode: zstdCompressSync, decode: zstdDecompressSync });
compressionRegistry.set(CompressionType.LZ4_FRAME, {
  encode: (data) => compressFrameSync(Buffer.from(data)),
  decode: (data) => decompressFrameSync(Buffer.from(data)),
});

export interface Descriptor {
  readonly type: 'CMD' | 'PATH';
  readonly cmd?: Buffer;
  readonly path?: readonly string[];
}

export interface FlightData {
  readonly flight_descriptor?: Descriptor;
  readonly data_header?: Buffer;
  readonly app_metadata?: Buffer;
  readonly data_body?: Buffer;
}

export interface FlightInfo {
  readonly schema: Buffer;
  readonly endpoint: readonly {
    readonly ticket: { readonly ticket: Buffer };
    readonly location: readonly { readonly uri: string }[];
  }[];
  readonly total_records: string;
  readonly app_metadata: Buffer;
}

/** A call that streams messages towards the caller. */
export interface Incoming<Item> extends AsyncIterable<Item> {
  cancel(): void;
}

/** A call that streams messages both ways. */
export interface Duplex<In, Out> extends Incoming<Out> {
  write(message: In): boolean;
  end(): void;
}

export interface FlightCalls {
  getFlightInfo(descriptor: Descriptor): Promise<FlightInfo>;
  pollFlightInfo(descriptor: Descriptor): Promise<{ readonly info: FlightInfo; readonly flight_descriptor: unknown }>;
  doGet(ticket: { readonly ticket: Buffer }): Incoming<FlightData>;
  doPut(): Duplex<FlightData, { readonly app_metadata: Buffer }>;
  doExchange(): Duplex<FlightData, FlightData>;
  doAction(action: { readonly type: string; readonly body: Buffer }): Incoming<{ readonly body: Buffer }>;
  listActions(): Incoming<{ readonly type: string }>;
  close(): void;
}

const definitions = loadSync(`${import.meta.dirname}/../../proto/Flight.proto`, {
  keepCase: true,
  longs: String,
  enums: String,
});
const { FlightService } = (
  loadPackageDefinition(definitions) as unknown as {
    arrow: { flight: { protocol: { FlightService: new (...args: unknown[]) => Client } } };
  }
).arrow.flight.protocol;

type Methods = Readonly<Record<string, (...args: unknown[]) => unknown>>;

export function openFlight(port: number, token: string | null): FlightCalls {
  const client = new FlightService(`127.0.0.1:${port}`, credentials.createInsecure(), {
    'grpc.max_receive_message_length': -1,
  });
  const metadata = new Metadata();
  if (token !== null) metadata.set('authorization', `Bearer ${token}`);
  const methods = client as unknown as Methods;
  const unary = (name: string) => promisify(methods[name]!.bind(client)) as (...args: unknown[]) => Promise<never>;
  const stream = (name: string, ...args: unknown[]) => methods[name]!.call(client, ...args, metadata) as never;
  return {
    getFlightInfo: (descriptor) => unary('GetFlightInfo')(descriptor, metadata),
    pollFlightInfo: (descriptor) => unary('PollFlightInfo')(descriptor, metadata),
    doGet: (ticket) => stream('DoGet', ticket),
    doPut: () => stream('DoPut'),
    doExchange: () => stream('DoExchange'),
    doAction: (action) => stream('DoAction', action),
    listActions: () => stream('ListActions', {}),
    close: () => client.close(),
  };
}

export const command = (request: object): Descriptor => ({ type: 'CMD', cmd: Buffer.from(JSON.stringify(request)) });

/** What a failed call tells: gRPC's number and text, and our trailer. */
export function refusalOf(error: unknown): { readonly code: number; readonly details: string; readonly ours: unknown } {
  const { code, details, metadata } = error as ServiceError;
  return { code, details, ours: metadata?.get('headrace-error-code')[0] };
}

const continuation = Buffer.from([0xff, 0xff, 0xff, 0xff]);

/** A stream of FlightData as the IPC streaming format, which is what apache-arrow reads. */
async function* ipcBytes(messages: AsyncIterable<FlightData>): AsyncIterable<Uint8Array> {
  for await (const { data_header: header, data_body: body } of messages) {
    if (header === undefined || header.length === 0) continue;
    const padded = Buffer.alloc((header.length + 7) & ~7);
    header.copy(padded);
    const size = Buffer.alloc(4);
    size.writeInt32LE(padded.length);
    yield Buffer.concat([continuation, size, padded, body ?? Buffer.alloc(0)]);
  }
}

export async function readTable(messages: AsyncIterable<FlightData>): Promise<Table> {
  const reader = await RecordBatchReader.from(ipcBytes(messages));
  await reader.open();
  const batches = [];
  for await (const batch of reader) batches.push(batch);
  return new Rows(reader.schema, batches);
}

/** The messages of an IPC stream as FlightData, the descriptor on the first of them. */
export function* flightData(descriptor: Descriptor, stream: Uint8Array): Iterable<FlightData> {
  const bytes = Buffer.from(stream.buffer, stream.byteOffset, stream.length);
  let at = 0;
  for (let first = true; at + 8 <= bytes.length; first = false) {
    const header = bytes.subarray(at + 8, at + 8 + bytes.readInt32LE(at + 4));
    if (header.length === 0) return;
    const bodyStart = at + 8 + header.length;
    at = bodyStart + Number(Message.decode(header).bodyLength);
    const message = { data_header: header, data_body: bytes.subarray(bodyStart, at) };
    yield first ? { flight_descriptor: descriptor, ...message } : message;
  }
}
