/** A data-plane server over toy handlers, for the tests of its transport. */
import { defaultLimits, type Limits } from '../../../src/core/limits.ts';
import type { DataPlane, Listener } from '../../../src/server/data-plane/options.ts';
import { startDataPlane } from '../../../src/server/data-plane/server.ts';
import { ByteBudget } from '../../../src/server/streams/byte-budget.ts';
import { UploadSlots } from '../../../src/server/streams/upload-slots.ts';
import type { BulkHandlers } from '../../../src/server/streams/wire/bulk-handlers.ts';
import type { EndedCall } from '../../../src/server/streams/wire/serve-call.ts';
import type { TlsMaterial } from '../../../src/server/streams/wire/tls-material.ts';
import { createLog } from '../../../src/server/telemetry/log.ts';
import { toyHandlers } from '../flight/toy.ts';

export interface Toy extends AsyncDisposable {
  readonly server: DataPlane;
  readonly budget: ByteBudget;
  readonly port: number;
  readonly ended: readonly EndedCall[];
  refused(): number;
  log(): string;
}

export interface ToyOptions {
  readonly limits?: Partial<Limits>;
  readonly tls?: TlsMaterial;
  readonly listeners?: readonly Listener[];
}

export const anyPort: Listener = { host: '127.0.0.1', port: 0, shared: false };
export const controlPort = 8_815;

export async function startToy(handlers: Partial<BulkHandlers>, options: ToyOptions = {}): Promise<Toy> {
  const lines: string[] = [];
  const ended: EndedCall[] = [];
  let refused = 0;
  const limits = { ...defaultLimits, ...options.limits };
  const budget = new ByteBudget(limits);
  const server = await startDataPlane({
    listeners: options.listeners ?? [anyPort],
    tls: options.tls ?? null,
    handlers: { ...toyHandlers, ...handlers },
    limits,
    budget,
    uploads: new UploadSlots(limits),
    log: createLog('debug', { write: (line: string) => void lines.push(line) }),
    ended: (call) => void ended.push(call),
    refused: () => void refused++,
    controlPort,
  });
  return {
    server,
    budget,
    port: server.ports[0]!,
    ended,
    refused: () => refused,
    log: () => lines.join(''),
    [Symbol.asyncDispose]: () => server.close(),
  };
}
