import { constants } from 'node:fs';
import { open, realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { LRUCache } from 'lru-cache';
import { systemCode } from './file-errors.ts';

const knownMax = 10_000;
/** What opening or fsyncing a folder says that is not ours to write or read: nobody like us made anything in it. */
const foreignCodes: readonly string[] = ['EACCES', 'EPERM', 'EROFS', 'EINVAL'];

/**
 * Makes what was put into folders outlast a power cut. A file is as durable as the names of all folders above it, and another writer may
 * have made one of those a moment ago without having come to its fsync: so every folder's name is fsynced once by this process, whoever
 * made it.
 */
export class DurableFolders {
  readonly #sync: (folder: string) => Promise<void>;
  /** Folders whose names, and those of all above, are on disk; by what tells a folder from one made again under its path. */
  readonly #known = new LRUCache<string, true>({ max: knownMax });

  constructor(sync: (folder: string) => Promise<void> = syncFolder) {
    this.#sync = sync;
  }

  /** Fsyncs the folder for the names in it, and the folders above it as far as they are not known to be durable. */
  async ensure(folder: string): Promise<void> {
    const real = await realpath(folder);
    await this.#sync(real);
    const reached: string[] = [];
    for (let at = real; at !== dirname(at); at = dirname(at)) {
      const identity = await identityOf(at);
      if (this.#known.has(identity)) break;
      reached.push(identity);
      if (!(await this.#syncAbove(dirname(at)))) break;
    }
    // Only now: had one of them failed, none below it would be durable.
    for (const identity of reached) this.#known.set(identity, true);
  }

  async #syncAbove(folder: string): Promise<boolean> {
    try {
      await this.#sync(folder);
      return true;
    } catch (error) {
      if (foreignCodes.includes(systemCode(error) ?? '')) return false;
      throw error;
    }
  }
}

/** Inodes are used again soon; the time at which they were made tells their uses apart. */
async function identityOf(folder: string): Promise<string> {
  const { dev, ino, birthtimeNs } = await stat(folder, { bigint: true });
  return `${dev}:${ino}:${birthtimeNs}`;
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
