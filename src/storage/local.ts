import { constants, realpathSync } from 'node:fs';
import { lstat, open, opendir, realpath } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { throwIfCancelled } from '../core/cancellation.ts';
import { ServiceError } from '../core/errors.ts';
import { fileError, systemCode } from './file-errors.ts';
import { createFile, isTemporary, unlinkIfPresent } from './local-writer.ts';
import { decoded, localPath, parseLocation } from './locations.ts';
import type { ByteRange, ObjectStat, ObjectStore, ObjectWriter } from './object-store.ts';
import { OpenFiles, statOf } from './open-files.ts';

const handlesMaxDefault = 256;
// A write that was not touched for so long was cut off by a crash: listings show what it left, for a clean-up to find.
const abandonedMs = 24 * 3_600_000;
// Between pieces a read looks at its signal.
const pieceBytes = 8 << 20;

export interface LocalStoreOptions {
  /** A local folder; locations outside it, symbolic links that lead out of it included, are INVALID_REQUEST. */
  readonly root?: string;
  /** Idle read handles kept open. */
  readonly handlesMax?: number;
}

/**
 * Files of this machine by `file:///…` locations. A path is literal, as other Iceberg engines take it; where nothing lies there,
 * its percent-decoded form is tried. Dispose it to close the handles it keeps.
 */
export function openLocalStore(options: LocalStoreOptions = {}): ObjectStore & AsyncDisposable {
  return new LocalStore(options);
}

class LocalStore implements ObjectStore, AsyncDisposable {
  readonly #root: string | null;
  readonly #files: OpenFiles;

  constructor(options: LocalStoreOptions) {
    this.#root = options.root === undefined ? null : realpathSync(options.root);
    this.#files = new OpenFiles(options.handlesMax ?? handlesMaxDefault);
  }

  async stat(location: string, signal: AbortSignal): Promise<ObjectStat> {
    throwIfCancelled(signal);
    try {
      const handle = await open(await this.#existing(location), constants.O_RDONLY | constants.O_NONBLOCK);
      try {
        const { isFile, ...stat } = await statOf(handle);
        if (!isFile) throw new ServiceError('NOT_FOUND', 'there is no such object');
        return stat;
      } finally {
        await handle.close();
      }
    } catch (error) {
      throw fileError(error, 'looking at a file');
    }
  }

  async read(location: string, range: ByteRange, signal: AbortSignal, identity?: string): Promise<Uint8Array> {
    throwIfCancelled(signal);
    checkRange(range);
    try {
      const path = await this.#existing(location);
      return await this.#files.use(path, identity ?? null, async (handle, stat) => {
        if (identity !== undefined && stat.identity !== identity) throw changed();
        if (range.end > stat.bytes) throw tooShort(range, stat.bytes);
        const bytes = Buffer.allocUnsafeSlow(range.end - range.start);
        for (let at = 0; at < bytes.byteLength; ) {
          throwIfCancelled(signal);
          const length = Math.min(pieceBytes, bytes.byteLength - at);
          const { bytesRead } = await handle.read(bytes, at, length, range.start + at);
          if (bytesRead === 0) throw tooShort(range, range.start + at);
          at += bytesRead;
        }
        if ((await statOf(handle)).identity !== stat.identity) throw changed();
        return bytes;
      });
    } catch (error) {
      throw fileError(error, 'reading a file');
    }
  }

  async readAll(location: string, bytesMax: number, signal: AbortSignal): Promise<Uint8Array> {
    const { bytes, identity } = await this.stat(location, signal);
    if (bytes > bytesMax) {
      throw new ServiceError(
        'LIMIT_EXCEEDED',
        `an object has ${bytes} bytes, more than the ${bytesMax} allowed for its kind`,
      );
    }
    return this.read(location, { start: 0, end: bytes }, signal, identity);
  }

  async create(location: string, signal: AbortSignal): Promise<ObjectWriter> {
    throwIfCancelled(signal);
    try {
      const path = localPath(location);
      await this.#checkNew(path);
      // Refused early to save the writing; the commit refuses it again, where another writer came first.
      if ((await lstatOrNull(path)) !== null) throw new ServiceError('ALREADY_EXISTS', 'an object is already there');
      return await createFile(path, signal);
    } catch (error) {
      throw fileError(error, 'creating a file');
    }
  }

  async *list(prefix: string, signal: AbortSignal): AsyncIterable<ObjectStat & { readonly location: string }> {
    const base = prefix.replace(/\/+$/, '');
    const folders = [{ path: localPath(prefix), location: base }];
    await this.#checkNew(folders[0]!.path);
    for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
      throwIfCancelled(signal);
      for await (const entry of await entriesOf(folder.path)) {
        throwIfCancelled(signal);
        const path = join(folder.path, entry.name);
        const location = `${folder.location}/${entry.name}`;
        if (entry.isDirectory()) folders.push({ path, location });
        if (!entry.isFile()) continue;
        const stat = await lstatOrNull(path);
        if (stat === null || (isTemporary(path) && stat.modifiedMs > Date.now() - abandonedMs)) continue;
        yield { ...stat, location };
      }
    }
  }

  async delete(locations: readonly string[], signal: AbortSignal): Promise<void> {
    for (const location of locations) {
      throwIfCancelled(signal);
      try {
        const path = localPath(location);
        await this.#checkNew(path);
        await unlinkIfPresent(path);
        this.#files.forget(path);
      } catch (error) {
        throw fileError(error, 'deleting a file');
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#files[Symbol.asyncDispose]();
  }

  /** The real path of a file that is there. */
  async #existing(location: string): Promise<string> {
    const real = await realPathOf(location);
    this.#checkInside(real);
    return real;
  }

  /** Refuses a path whose nearest existing folder lies outside the root. */
  async #checkNew(path: string): Promise<void> {
    if (this.#root === null) return;
    for (let folder = dirname(path); ; folder = dirname(folder)) {
      try {
        const rest = path.slice(folder.length).replace(/^\//, '');
        this.#checkInside(join(await realpath(folder), rest));
        return;
      } catch (error) {
        if (systemCode(error) !== 'ENOENT' || folder === dirname(folder)) throw error;
      }
    }
  }

  #checkInside(real: string): void {
    if (this.#root === null || real === this.#root || real.startsWith(this.#root + sep)) return;
    throw new ServiceError('INVALID_REQUEST', 'a location lies outside the warehouse', { cause: real });
  }
}

/** The literal path, with links resolved; the percent-decoded one where there is nothing at the literal path. */
async function realPathOf(location: string): Promise<string> {
  const path = localPath(location);
  try {
    return await realpath(path);
  } catch (error) {
    const plain = `/${parseLocation(location).segments.map(decoded).join('/')}`;
    if (systemCode(error) !== 'ENOENT' || plain === path || plain.includes('\0') || /\/\.{1,2}(\/|$)/.test(plain))
      throw error;
    return await realpath(plain);
  }
}

/** Symbolic links are not followed, so a listing never leaves its prefix; a folder that is not there has no entries. */
async function entriesOf(path: string) {
  try {
    return await opendir(path);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return [];
    throw fileError(error, 'listing a folder');
  }
}

async function lstatOrNull(path: string): Promise<ObjectStat | null> {
  try {
    const stat = await lstat(path, { bigint: true });
    const identity = `${stat.ino}-${stat.size}-${stat.mtimeNs}`;
    return { bytes: Number(stat.size), identity, modifiedMs: Number(stat.mtimeNs / 1_000_000n) };
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return null;
    throw fileError(error, 'looking at a file');
  }
}

function checkRange({ start, end }: ByteRange): void {
  if (Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && end >= start) return;
  throw new ServiceError('CORRUPT_FILE', `a file points at bytes ${start} to ${end}, which is no range`);
}

const tooShort = (range: ByteRange, bytes: number): ServiceError =>
  new ServiceError(
    'CORRUPT_FILE',
    `an object ends at byte ${bytes}, before byte ${range.end} that its metadata points at`,
  );

const changed = (): ServiceError =>
  new ServiceError('UNAVAILABLE', 'an object changed while it was in use: plan again');
