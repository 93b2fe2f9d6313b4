import { ServiceError } from '../core/errors.ts';
import { compactJweEncrypt } from './compact-jwe.ts';
import type { SecretKey } from './key-files.ts';

/** What a sealed value is for: one kind never opens as the other. */
export type SealedKind = 'ticket' | 'cursor';

export interface Sealer {
  /**
   * Seals a JSON object (no bigints) that names its principal. `expiresAt` is in seconds since the epoch. The bytes are ASCII, at
   * most `ticketBytesMax`, and their number tells no more of the content than its size class. Throws LIMIT_EXCEEDED for more.
   */
  seal(kind: SealedKind, payload: SealedPayload, expiresAt: number): Uint8Array;
}

export interface SealedPayload {
  readonly principal: string;
  readonly [name: string]: unknown;
}

export const ticketBytesMax = 256 * 1024;
/** Bytes of plaintext are a multiple of this, and a power of two of it from there on. */
const sizeClassBytes: { readonly [Kind in SealedKind]: number } = { ticket: 1_024, cursor: 256 };

/** Makes tickets and cursors. Whoever opens none needs no more than this, and loads no library for it. */
export function createSealer(key: SecretKey): Sealer {
  const encrypt = {
    ticket: compactJweEncrypt(key, typeOf('ticket')),
    cursor: compactJweEncrypt(key, typeOf('cursor')),
  };
  return {
    seal(kind, payload, expiresAt) {
      const text = JSON.stringify({ p: payload.principal, x: expiresAt, d: payload });
      const sealed = encrypt[kind](pad(text, sizeClassBytes[kind]));
      if (sealed.length > ticketBytesMax) {
        throw new ServiceError(
          'LIMIT_EXCEEDED',
          `the plan needs a ${kind} of more than ${ticketBytesMax} bytes: shorten the filter or ask for fewer columns`,
        );
      }
      return new Uint8Array(Buffer.from(sealed, 'latin1'));
    },
  };
}

/** A kind's `typ` (RFC 7516 §4.1.11). */
export const typeOf = (kind: SealedKind): string => `headrace-${kind}`;

/** JSON with spaces after it, up to the next size class. */
function pad(text: string, classBytes: number): Uint8Array {
  const content = Buffer.from(text, 'utf8');
  let bytes = classBytes;
  while (bytes < content.length) bytes *= 2;
  const padded = new Uint8Array(bytes).fill(0x20);
  padded.set(content);
  return padded;
}
