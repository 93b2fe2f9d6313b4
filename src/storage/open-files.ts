import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { LRUCache } from 'lru-cache';
import type { ObjectStat } from './object-store.ts';

/** An open file and what it was when it was opened. */
interface OpenFile {
  readonly handle: FileHandle;
  readonly stat: ObjectStat;
  users: number;
  dropped: boolean;
}

/** Inode, size and time of change of a file: another content is another identity. */
export async function statOf(handle: FileHandle): Promise<ObjectStat & { readonly isFile: boolean }> {
  const stat = await handle.stat({ bigint: true });
  return {
    bytes: Number(stat.size),
    identity: `${stat.ino}-${stat.size}-${stat.mtimeNs}`,
    modifiedMs: Number(stat.mtimeNs / 1_000_000n),
    isFile: stat.isFile(),
  };
}

/**
 * Read handles by path, at most `handlesMax` idle ones. A handle goes on reading the file it was opened on even when another
 * took the path, so callers compare the identity. Disposing closes all of them; one in use closes when its last user leaves.
 */
export class OpenFiles implements AsyncDisposable {
  readonly #files: LRUCache<string, OpenFile>;
  readonly #closing = new Set<Promise<void>>();

  constructor(handlesMax: number) {
    this.#files = new LRUCache<string, OpenFile>({ max: handlesMax, dispose: (file) => this.#drop(file) });
  }

  /** Calls `use` with an open handle of the path; with `identity`, one opened on another content is opened again first. */
  async use<Result>(
    path: string,
    identity: string | null,
    use: (handle: FileHandle, stat: ObjectStat) => Promise<Result>,
  ): Promise<Result> {
    const file = await this.#take(path, identity);
    try {
      return await use(file.handle, file.stat);
    } finally {
      file.users--;
      this.#closeIfUnused(file);
    }
  }

  /** Forgets a path that was deleted. */
  forget(path: string): void {
    this.#files.delete(path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#files.clear();
    await Promise.all(this.#closing);
  }

  async #take(path: string, identity: string | null): Promise<OpenFile> {
    const cached = this.#files.get(path);
    if (cached !== undefined && identity !== null && cached.stat.identity === identity) {
      cached.users++;
      return cached;
    }
    // A symbolic link at the very end is refused: the path was resolved, so one that appears now was put there since. Without
    // O_NONBLOCK opening a named pipe would wait for its writer.
    const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const stat = await statOf(handle);
      if (!stat.isFile) throw Object.assign(new Error('not a file'), { code: 'EISDIR' });
      const file: OpenFile = { handle, stat, users: 1, dropped: false };
      this.#files.set(path, file);
      return file;
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  #drop(file: OpenFile): void {
    file.dropped = true;
    this.#closeIfUnused(file);
  }

  #closeIfUnused(file: OpenFile): void {
    if (!file.dropped || file.users > 0) return;
    const closing = file.handle.close().catch(() => {});
    this.#closing.add(closing);
    void closing.finally(() => this.#closing.delete(closing));
  }
}
