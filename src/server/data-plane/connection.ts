import type { ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import type { Limits } from '../../core/limits.ts';
import { endWhenFlooding } from '../streams/wire/flood.ts';

/** How long a connection that is leaving may stay without a call. */
const farewellMs = 3_000;
/** Ages differ by a tenth, so that connections that came together do not leave together. */
const ageSpread = 0.1;

export type ConnectionLimits = Pick<
  Limits,
  | 'connectionAgeMs'
  | 'connectionAgeGraceMs'
  | 'connectionIdleMs'
  | 'connectionPingsMax'
  | 'keepaliveMs'
  | 'keepaliveTimeoutMs'
  | 'requestReadMs'
  | 'uploadWindowBytes'
>;

export interface ConnectionEvents {
  readonly onStream: (stream: ServerHttp2Stream, rawHeaders: readonly string[], connection: Connection) => void;
  readonly onClose: (connection: Connection) => void;
}

/** One client's connection, from its first byte to its last; `check` is to be called about once a second. */
export class Connection {
  readonly peer: string;
  readonly #session: ServerHttp2Session;
  readonly #limits: ConnectionLimits;
  readonly #bornAt = performance.now();
  readonly #ageMs: number;
  #greeted = false;
  #calls = 0;
  #idleSince = this.#bornAt;
  #pingedAt = this.#bornAt;
  #pinging = false;
  #leavingSince: number | null = null;
  #wide = false;

  constructor(session: ServerHttp2Session, limits: ConnectionLimits, { onStream, onClose }: ConnectionEvents) {
    this.#session = session;
    this.#limits = limits;
    this.#ageMs = limits.connectionAgeMs * (1 + (Math.random() * 2 - 1) * ageSpread);
    const { remoteAddress = 'unknown', remotePort = 0 } = session.socket;
    this.peer = `${remoteAddress}:${remotePort}`;
    // An error is followed by `close`; without a listener it would end the process.
    session.on('error', () => session.destroy());
    session.once('close', () => onClose(this));
    session.once('remoteSettings', () => {
      this.#greeted = true;
    });
    endWhenFlooding(session, limits);
    session.on('stream', (stream, _headers, _flags, rawHeaders) => {
      this.#calls++;
      stream.once('close', () => {
        this.#calls--;
        this.#idleSince = performance.now();
      });
      onStream(stream, rawHeaders, this);
    });
  }

  /**
   * Opens the receive window that uploads need. Until a caller has a place to upload into, a stream may send only HTTP/2's 64 KB ahead, so
   * that strangers cannot fill the memory.
   */
  widen(): void {
    if (this.#wide || this.#session.closed || this.#session.destroyed) return;
    this.#wide = true;
    const { uploadWindowBytes } = this.#limits;
    this.#session.settings({ initialWindowSize: uploadWindowBytes });
    // Node refills the connection's window as bytes arrive, so it bounds only what is on the way.
    this.#session.setLocalWindowSize(2 * uploadWindowBytes);
  }

  /**
   * Lets running calls finish and takes no others: the notice names the last call that is served, so a client knows of those on their way
   * that they never began and may be made elsewhere. (RFC 9113 §6.8 would have them served after a first notice that names none: Node
   * ignores what comes after any.)
   */
  leave(): void {
    if (this.#leavingSince !== null || this.#session.destroyed) return;
    this.#leavingSince = performance.now();
    this.#session.close();
  }

  destroy(): void {
    this.#session.destroy();
  }

  /** Ends the connection where its time has come. */
  check(now: number): void {
    const limits = this.#limits;
    if (!this.#greeted && now - this.#bornAt > limits.requestReadMs) this.destroy();
    else if (this.#leavingSince !== null) {
      // Node waits for a call that has begun but whose headers never end.
      const empty = this.#calls === 0 && now - Math.max(this.#leavingSince, this.#idleSince) > farewellMs;
      if (empty || now - this.#leavingSince > limits.connectionAgeGraceMs) this.destroy();
    } else if (now - this.#bornAt > this.#ageMs) this.leave();
    else if (this.#calls === 0 && now - this.#idleSince > limits.connectionIdleMs) this.leave();
    this.#keepAlive(now);
  }

  #keepAlive(now: number): void {
    const { keepaliveMs, keepaliveTimeoutMs } = this.#limits;
    if (this.#session.destroyed) return;
    if (this.#pinging) {
      if (now - this.#pingedAt > keepaliveTimeoutMs) this.destroy();
    } else if (now - this.#pingedAt > keepaliveMs) {
      this.#pingedAt = now;
      this.#pinging = this.#session.ping((error) => {
        if (error === null) this.#pinging = false;
      });
    }
  }
}
