import { webcrypto } from 'node:crypto';
import { type CompactJWEHeaderParameters, type CryptoKey, compactDecrypt, errors } from 'jose';
import { isServiceError, ServiceError } from '../core/errors.ts';
import { type Clock, secondsOf } from './clock.ts';
import { type SecretKey, secretKeyBytes } from './key-files.ts';
import { createSealer, type SealedKind, type SealedPayload, type Sealer, ticketBytesMax, typeOf } from './sealing.ts';

export interface TicketSealer extends Sealer {
  /**
   * The object that this principal's bytes hold. Throws TICKET_EXPIRED, or TICKET_INVALID for anything that no key of ours sealed
   * as this kind for this principal.
   */
  open(kind: SealedKind, bytes: Uint8Array, principal: string): Promise<SealedPayload>;
}

export interface TicketSealerOptions {
  /** The first seals; all open, so that keys rotate by prepending. */
  readonly keys: readonly SecretKey[];
  readonly clock?: Clock;
}

const algorithm = 'dir';
const encryption = 'A256GCM';
const headerNames = ['alg', 'enc', 'kid', 'typ'];
/** Tickets and cursors as JWE (RFC 7516) with a key of 32 bytes used directly: any replica that has the keys opens them. */
export async function openTicketSealer(options: TicketSealerOptions): Promise<TicketSealer> {
  const clock = options.clock ?? Date.now;
  const keys = new Map<string, CryptoKey>();
  for (const { id, key } of options.keys) {
    if (key.length !== secretKeyBytes)
      throw new ServiceError('INVALID_REQUEST', `a ticket key must have ${secretKeyBytes} bytes`);
    if (keys.has(id)) throw new ServiceError('INVALID_REQUEST', 'two ticket keys have the same id: give each its own');
    keys.set(
      id,
      await webcrypto.subtle.importKey('raw', Uint8Array.from(key), 'AES-GCM', false, ['encrypt', 'decrypt']),
    );
  }
  const first = options.keys[0];
  if (first === undefined) throw new ServiceError('INVALID_REQUEST', 'tickets need at least one key');

  const keyFor = (kind: SealedKind, header: CompactJWEHeaderParameters | undefined): CryptoKey => {
    const known = header !== undefined && Object.keys(header).sort().join() === headerNames.join();
    const key = known && header.typ === typeOf(kind) ? keys.get(String(header.kid)) : undefined;
    if (key === undefined) throw invalid();
    return key;
  };

  return {
    seal: createSealer(first).seal,
    async open(kind, bytes, principal) {
      const sealed = requireCanonical(bytes);
      const opened = await compactDecrypt(sealed, (header) => keyFor(kind, header), {
        keyManagementAlgorithms: [algorithm],
        contentEncryptionAlgorithms: [encryption],
      }).catch((error: unknown) => {
        throw isServiceError(error) || error instanceof errors.JOSEError ? invalid(error) : error;
      });
      const content = JSON.parse(Buffer.from(opened.plaintext).toString('utf8')) as Sealed;
      if (content.p !== principal) throw invalid();
      if (secondsOf(clock) >= content.x) {
        throw new ServiceError('TICKET_EXPIRED', `the ${kind} has expired: plan again with GetFlightInfo`);
      }
      return content.d;
    },
  };
}

/** What is inside: authenticated, and so written by {@link openTicketSealer} alone. */
interface Sealed {
  readonly p: string;
  /** Seconds since the epoch. */
  readonly x: number;
  readonly d: SealedPayload;
}

const invalid = (cause?: unknown): ServiceError =>
  new ServiceError(
    'TICKET_INVALID',
    'the ticket or cursor is not one that this server gave to this principal: plan again',
    {
      cause,
    },
  );

/**
 * The five parts of a compact JWE, each in the one way of writing its bytes. Base64 leaves bits of a last character unused, so
 * that without this an altered ticket could still open.
 */
function requireCanonical(bytes: Uint8Array): string {
  if (bytes.length === 0 || bytes.length > ticketBytesMax) throw invalid();
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  const parts = text.split('.');
  if (parts.length !== 5 || parts.some((part) => Buffer.from(part, 'base64url').toString('base64url') !== part))
    throw invalid();
  return text;
}
