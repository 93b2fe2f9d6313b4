import type { Limits } from '../../core/limits.ts';
import type { BulkEnvironment } from '../streams/wire/bulk-calls.ts';
import type { BulkHandlers } from '../streams/wire/bulk-handlers.ts';
import type { EndedCall } from '../streams/wire/serve-call.ts';
import type { TlsMaterial } from '../streams/wire/tls-material.ts';
import type { Log } from '../telemetry/log.ts';

/** One port to listen on. */
export interface Listener {
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  /** Whether other threads and processes listen on the same port too: the system spreads connections over them (`SO_REUSEPORT`). */
  readonly shared: boolean;
}

export interface DataPlaneOptions {
  readonly listeners: readonly Listener[];
  readonly tls: TlsMaterial | null;
  /** The bulk calls; see {@link BulkHandlers} for who owns the bytes of a message. */
  readonly handlers: BulkHandlers;
  /**
   * The maxima of this server alone. What bounds the process (`connectionsMax`, `streamsMax`, `streamsBytesMax`, `putsMax`) is to be
   * divided by whoever starts several.
   */
  readonly limits: Limits;
  /** Bytes in flight, bounded for each stream and in total. Throws LIMIT_EXCEEDED where no further stream fits. */
  readonly budget: BulkEnvironment['budget'];
  /** The uploads that run; may ask another thread. Throws LIMIT_EXCEEDED where no place is left. */
  readonly uploads: BulkEnvironment['uploads'];
  readonly log: Log;
  /** Told of each call when nothing of it is left on the wire. */
  readonly ended: (call: EndedCall) => void;
  /** Told of each call that finds no place among the streams or uploads. */
  readonly refused: () => void;
  /** Where the calls that this server lacks are served: named to whoever asks here. */
  readonly controlPort: number;
}

/** A server of DoGet, DoPut and DoExchange that runs on the thread that started it. */
export interface DataPlane extends AsyncDisposable {
  /** The ports as they are bound, in the order of `listeners`. */
  readonly ports: readonly number[];
  readonly connections: number;
  readonly activeCalls: number;
  /** Takes no new calls, lets running ones finish for `graceMs`, then ends them with UNAVAILABLE. Does not reject. */
  drain(graceMs: number): Promise<void>;
  /** Ends everything now. */
  close(): Promise<void>;
}
