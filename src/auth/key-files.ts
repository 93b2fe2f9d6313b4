import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import { ServiceError } from '../core/errors.ts';
import { readOrCreatePrivateFile } from './private-file.ts';

/** A secret of 32 bytes. The first of a list makes new things; the others still open old ones. */
export interface SecretKey {
  readonly id: string;
  readonly key: Uint8Array;
}

export const secretKeyBytes = 32;
const keysMax = 64;

const keyFile = z.strictObject({
  keys: z
    .array(z.strictObject({ id: z.string().regex(/^[\w.-]{1,64}$/), key: z.string() }))
    .min(1)
    .max(keysMax),
});

/**
 * The keys in `<dir>/<name>.json`, base64url, made with one random key and mode 0600 where absent. Throws UNAVAILABLE for a file
 * that is damaged or that others may read.
 */
export async function loadOrCreateKeys(dir: string, name: string): Promise<readonly SecretKey[]> {
  const path = join(dir, `${name}.json`);
  const text = await readOrCreatePrivateFile(path, async () => {
    const key = { id: randomBytes(6).toString('hex'), key: randomBytes(secretKeyBytes).toString('base64url') };
    return `${JSON.stringify({ keys: [key] })}\n`;
  });
  try {
    return keyFile.parse(JSON.parse(text)).keys.map(({ id, key }) => ({ id, key: decodeSecretKey(key) }));
  } catch (error) {
    throw new ServiceError(
      'UNAVAILABLE',
      `the key file ${name}.json is damaged: restore it, or remove it to make new keys`,
      {
        cause: error,
      },
    );
  }
}

/** Reads 32 bytes written as base64url; throws INVALID_REQUEST for anything else. */
function decodeSecretKey(text: string): Uint8Array {
  const key = new Uint8Array(Buffer.from(text, 'base64url'));
  if (key.length !== secretKeyBytes || Buffer.from(key).toString('base64url') !== text.replace(/=+$/, '')) {
    throw new ServiceError('INVALID_REQUEST', `a key must be ${secretKeyBytes} bytes written as base64url`);
  }
  return key;
}
