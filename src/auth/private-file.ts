import { randomBytes } from 'node:crypto';
import { link, mkdir, open, readFile, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ServiceError } from '../core/errors.ts';

const fileBytesMax = 1 << 20;

/**
 * The text of a file of secrets that only its owner may read; `make` writes it where it is absent. Of several processes that start
 * at once, one creates the file and all read the same. Throws UNAVAILABLE for a file that others may read.
 */
export async function readOrCreatePrivateFile(path: string, make: () => Promise<string>): Promise<string> {
  const existing = await readPrivateFile(path);
  if (existing !== null) return existing;
  await createPrivateFile(path, await make());
  const created = await readPrivateFile(path);
  if (created === null)
    throw new ServiceError('UNAVAILABLE', 'a key file vanished while it was being made: start again');
  return created;
}

async function readPrivateFile(path: string): Promise<string | null> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (found === null) return null;
  if (process.platform !== 'win32' && (found.mode & 0o077) !== 0) {
    throw new ServiceError('UNAVAILABLE', 'a key file may be read by other users: give it mode 0600', { cause: path });
  }
  if (found.size > fileBytesMax)
    throw new ServiceError('UNAVAILABLE', 'a key file is too large to be one', { cause: path });
  return readFile(path, 'utf8');
}

/** Written whole beside its place and linked there, so that a reader never sees half a file and the first writer wins. */
async function createPrivateFile(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const draft = `${path}.${randomBytes(8).toString('hex')}`;
  const file = await open(draft, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    await link(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await unlink(draft);
  }
}
