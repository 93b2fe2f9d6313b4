import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, link, mkdir, open, rename, rmdir, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { throwIfCancelled } from '../core/cancellation.ts';
import { DurableFolders } from './durable-folders.ts';
import { fileError, systemCode } from './file-errors.ts';
import type { ObjectStat, ObjectWriter } from './object-store.ts';
import { statOf } from './open-files.ts';

const temporaryPattern = /^\.headrace-[0-9a-f-]{36}\.tmp$/;
// Someone else's failed write may remove an empty folder between our making it and our opening a file in it.
const openAttemptsMax = 3;
/** For all stores of the process: what is durable is so for each. */
const durableFolders = new DurableFolders();

/** Names that a write in progress, or one that a crash cut off, has in its folder. */
export const isTemporary = (path: string): boolean => temporaryPattern.test(basename(path));

/**
 * A writer of a new file that appears whole or not at all: written under a temporary name in the same folder, fsynced, then
 * linked to its name, which fails where a file is there. Missing folders are made; they, and those
 * that another writer made, are fsynced into their parents.
 */
export async function createFile(path: string, signal: AbortSignal): Promise<ObjectWriter> {
  throwIfCancelled(signal);
  const temporary = join(dirname(path), `.headrace-${randomUUID()}.tmp`);
  for (let attempt = 1; ; attempt++) {
    const made = await makeFolders(dirname(path));
    try {
      const handle = await open(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o644);
      return new LocalWriter(handle, temporary, path, made, signal);
    } catch (error) {
      await removeFolders(made);
      if (systemCode(error) !== 'ENOENT' || attempt === openAttemptsMax) throw error;
    }
  }
}

class LocalWriter implements ObjectWriter {
  readonly #handle: FileHandle;
  readonly #temporary: string;
  readonly #path: string;
  readonly #made: readonly string[];
  readonly #signal: AbortSignal;
  #state: 'open' | 'committed' | 'closed' = 'open';

  constructor(handle: FileHandle, temporary: string, path: string, made: readonly string[], signal: AbortSignal) {
    this.#handle = handle;
    this.#temporary = temporary;
    this.#path = path;
    this.#made = made;
    this.#signal = signal;
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#check();
    try {
      for (let at = 0; at < bytes.byteLength; ) {
        const { bytesWritten } = await this.#handle.write(bytes, at, bytes.byteLength - at);
        at += bytesWritten;
      }
    } catch (error) {
      throw fileError(error, 'writing a file');
    }
  }

  async commit(): Promise<ObjectStat> {
    this.#check();
    try {
      await this.#handle.sync();
      const { bytes, identity, modifiedMs } = await statOf(this.#handle);
      await publish(this.#temporary, this.#path);
      this.#state = 'committed';
      await durableFolders.ensure(dirname(this.#path));
      return { bytes, identity, modifiedMs };
    } catch (error) {
      throw fileError(error, 'committing a file');
    } finally {
      if (this.#state === 'committed') await this.#handle.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#state !== 'open') return;
    this.#state = 'closed';
    await this.#handle.close();
    await unlinkIfPresent(this.#temporary);
    await removeFolders(this.#made);
  }

  #check(): void {
    throwIfCancelled(this.#signal);
    if (this.#state !== 'open') throw new TypeError(`the writer is ${this.#state}`);
  }
}

/** Gives the temporary file its name, never replacing one that is there (EEXIST). */
async function publish(temporary: string, path: string): Promise<void> {
  try {
    await link(temporary, path);
    await unlinkIfPresent(temporary);
  } catch (error) {
    // File systems without hard links: an empty file claims the name, and the rename replaces just that.
    if (!['EPERM', 'ENOTSUP', 'ENOSYS', 'EMLINK'].includes(systemCode(error) ?? '')) throw error;
    await (await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o644)).close();
    await rename(temporary, path);
  }
}

/** Makes a folder and its missing parents; the ones it made, outermost first. */
async function makeFolders(folder: string): Promise<string[]> {
  const first = await mkdir(folder, { recursive: true });
  if (first === undefined) return [];
  const made: string[] = [];
  for (let at = folder; at.length >= first.length; at = dirname(at)) made.unshift(at);
  return made;
}

/** Folders that hold something by now, or are gone, stay as they are. */
async function removeFolders(made: readonly string[]): Promise<void> {
  for (const folder of made.toReversed()) {
    try {
      await rmdir(folder);
    } catch {
      return;
    }
  }
}

/** Removes a file; one that is not there is no error. */
export async function unlinkIfPresent(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (!['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) throw error;
  }
}
