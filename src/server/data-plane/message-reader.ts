import { ServiceError } from '../../core/errors.ts';
import { messageTooLarge } from '../streams/wire/status.ts';

const prefixBytes = 5;
const bodyAlignment = 8;

/**
 * Cuts the bytes of a call into its messages (gRPC over HTTP/2, "Length-Prefixed-Message"). Each message is copied once, into a buffer of
 * its own, which is allocated when its length is known and allowed.
 */
export class MessageReader {
  readonly #bytesMax: number;
  readonly #prefix = Buffer.alloc(prefixBytes);
  #prefixed = 0;
  #message: Buffer | null = null;
  #filled = 0;
  #rest: Buffer | null = null;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Whether bytes of a message are there that is not complete. */
  get partial(): boolean {
    return this.#prefixed > 0 || this.#rest !== null;
  }

  /**
   * Takes `chunk`, or what earlier ones left, up to the end of one message. Null = the message needs more bytes. Only when nothing is left
   * may a chunk be given. Throws LIMIT_EXCEEDED for a message beyond the limit, INVALID_REQUEST for one that is marked as compressed.
   */
  next(chunk: Buffer | null): Buffer | null {
    let rest = chunk ?? this.#rest;
    this.#rest = null;
    while (rest !== null && rest.length > 0) {
      rest = this.#message === null ? this.#takePrefix(rest) : this.#fill(rest);
      const message = this.#message;
      if (message !== null && this.#filled === message.length) {
        this.#rest = rest !== null && rest.length > 0 ? rest : null;
        this.#message = null;
        this.#prefixed = 0;
        return message;
      }
    }
    return null;
  }

  #takePrefix(bytes: Buffer): Buffer {
    const taken = Math.min(bytes.length, prefixBytes - this.#prefixed);
    bytes.copy(this.#prefix, this.#prefixed, 0, taken);
    this.#prefixed += taken;
    if (this.#prefixed === prefixBytes) this.#start();
    return bytes.subarray(taken);
  }

  #start(): void {
    const flag = this.#prefix[0]!;
    if (flag !== 0) {
      const what = flag === 1 ? 'is marked as compressed, but the call names no encoding' : `has the flag ${flag}`;
      throw new ServiceError('INVALID_REQUEST', `a message ${what}`);
    }
    const length = this.#prefix.readUInt32BE(1);
    if (length > this.#bytesMax) throw messageTooLarge(this.#bytesMax);
    // A buffer of its own, not a view of a pool: the message's parts live on by themselves. It ends at a multiple of 8 bytes, so that
    // the body of an Arrow message, which comes last and is padded to 8, begins at one: columns that do not are copied.
    const padding = -length & (bodyAlignment - 1);
    this.#message = Buffer.allocUnsafeSlow(padding + length).subarray(padding);
    this.#filled = 0;
  }

  #fill(bytes: Buffer): Buffer {
    const message = this.#message!;
    const taken = Math.min(bytes.length, message.length - this.#filled);
    bytes.copy(message, this.#filled, 0, taken);
    this.#filled += taken;
    return bytes.subarray(taken);
  }
}
