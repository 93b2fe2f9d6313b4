/** Flight calls byte by byte, for what no well-behaved client sends. */
import { Client, credentials, Metadata, type StatusObject, status } from '@grpc/grpc-js';

export interface RawAnswer {
  /** gRPC's status by name, such as `INVALID_ARGUMENT`. */
  readonly status: string;
  /** The trailer `headrace-error-code`; null where the call succeeded or the transport ended it. */
  readonly code: string | null;
  readonly message: string;
  readonly messages: readonly Buffer[];
}

export interface RawFlight extends Disposable {
  /** Sends whole messages, ends the input, and collects what comes back. */
  call(method: string, messages: readonly Uint8Array[], headers?: Readonly<Record<string, string>>): Promise<RawAnswer>;
}

const callTimeoutMs = 30_000;
const bytes = (value: Buffer): Buffer => value;

const bulkMethods = new Set(['DoGet', 'DoPut', 'DoExchange']);

/** Bulk calls go to `bulk`. */
export function openRawFlight(port: number, token: string | null = null, bulk = port): RawFlight {
  const open = (at: number): Client =>
    new Client(`127.0.0.1:${at}`, credentials.createInsecure(), {
      'grpc.use_local_subchannel_pool': 1,
      'grpc.max_receive_message_length': -1,
      'grpc.max_send_message_length': -1,
    });
  const [control, data] = [open(port), open(bulk)];
  return {
    call(method, messages, headers = {}) {
      const metadata = new Metadata();
      if (token !== null) metadata.set('authorization', `Bearer ${token}`);
      for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
      const path = `/arrow.flight.protocol.FlightService/${method}`;
      const client = bulkMethods.has(method) ? data : control;
      const call = client.makeBidiStreamRequest(path, bytes, bytes, metadata, { deadline: Date.now() + callTimeoutMs });
      const received: Buffer[] = [];
      const { promise, resolve } = Promise.withResolvers<RawAnswer>();
      call.on('data', (message: Buffer) => received.push(message));
      // The status says the same.
      call.on('error', () => {});
      call.on('status', (ended: StatusObject) => {
        const [code] = ended.metadata.get('headrace-error-code');
        resolve({
          status: status[ended.code],
          code: code === undefined ? null : String(code),
          message: ended.details,
          messages: received,
        });
      });
      for (const message of messages) call.write(Buffer.from(message));
      call.end();
      return promise;
    },
    [Symbol.dispose]: () => {
      control.close();
      data.close();
    },
  };
}

/** Runs `work` for each item, `width` at a time, and gives the results in order. */
export async function eachOf<Item, Result>(
  items: readonly Item[],
  width: number,
  work: (item: Item, at: number) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = new Array(items.length);
  let next = 0;
  const run = async (): Promise<void> => {
    for (let at = next++; at < items.length; at = next++) results[at] = await work(items[at]!, at);
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, run));
  return results;
}
