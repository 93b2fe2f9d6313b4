import { type FSWatcher, watch } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ServiceError } from '../../core/errors.ts';
import type { PolicyLimits } from './load.ts';
import { InvalidPolicyError } from './problems.ts';
import type { PolicyFile } from './source.ts';

const extension = '.cedar';
const settleMs = 50;
const attemptsMax = 20;

/** A folder's policies as they were at one moment; `files` is null where there is no folder. */
export interface PolicyFolder {
  readonly files: readonly PolicyFile[] | null;
  readonly fingerprint: string;
}

/** Changes whenever a policy file is written, added, removed or renamed; 'absent' where there is no folder. */
export async function fingerprintFolder(directory: string): Promise<string> {
  const names = await policyFileNames(directory);
  if (names === null) return 'absent';
  const parts = await Promise.all(
    names.map(async (name) => {
      const found = await stat(join(directory, name), { bigint: true }).catch(() => null);
      return found === null ? `${name}:gone` : `${name}:${found.ino}:${found.size}:${found.mtimeNs}:${found.ctimeNs}`;
    }),
  );
  return parts.join('\n');
}

/**
 * Reads every `*.cedar` of the folder, once nobody is writing there: of a file cut short in the middle of a write the forbids could
 * be missing. Throws UNAVAILABLE where the folder does not come to rest or cannot be read.
 */
export async function readFolder(directory: string, limits: PolicyLimits): Promise<PolicyFolder> {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const fingerprint = await fingerprintFolder(directory);
    if (attempt > 0 || Date.now() - (await newestChangeMs(directory)) < settleMs) await sleep(settleMs);
    const files = await readFiles(directory, limits);
    if ((await fingerprintFolder(directory)) === fingerprint) return { files, fingerprint };
  }
  throw new ServiceError('UNAVAILABLE', 'the policy folder keeps changing: reload when it has come to rest');
}

/** Calls back soon after a change where the platform tells of one; the caller polls besides. */
export function watchFolder(directory: string, changed: () => void): Disposable {
  let watcher: FSWatcher | null = null;
  try {
    watcher = watch(directory, { persistent: false }, changed);
    watcher.on('error', () => watcher?.close());
  } catch {
    // A folder that is not there yet, or a platform that cannot watch: polling finds the change.
  }
  return { [Symbol.dispose]: () => watcher?.close() };
}

async function policyFileNames(directory: string): Promise<string[] | null> {
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw new ServiceError('UNAVAILABLE', 'the policy folder cannot be read', { cause: error });
  });
  return names?.filter((name) => name.endsWith(extension)).sort() ?? null;
}

async function newestChangeMs(directory: string): Promise<number> {
  const names = (await policyFileNames(directory)) ?? [];
  const times = await Promise.all(
    names.map((name) => stat(join(directory, name)).then((found) => found.mtimeMs, Date.now)),
  );
  return times.reduce((newest, time) => Math.max(newest, time), 0);
}

async function readFiles(directory: string, limits: PolicyLimits): Promise<PolicyFile[] | null> {
  const names = await policyFileNames(directory);
  if (names !== null && names.length > limits.policyFilesMax) {
    const reason = `there are more than ${limits.policyFilesMax} policy files`;
    throw new InvalidPolicyError([{ file: basename(directory), line: 1, policy: null, reason }]);
  }
  const files: PolicyFile[] = [];
  for (const name of names ?? []) files.push({ name, text: await readPolicyText(join(directory, name), limits) });
  return names === null ? null : files;
}

async function readPolicyText(path: string, limits: PolicyLimits): Promise<string> {
  const refuse = (reason: string, cause?: unknown): InvalidPolicyError =>
    new InvalidPolicyError([{ file: basename(path), line: 1, policy: null, reason }], { cause });
  const found = await stat(path).catch((error: unknown) => {
    throw refuse('the file cannot be read', error);
  });
  if (found.size > limits.policyBytesMax) throw refuse(`the file has more than ${limits.policyBytesMax} bytes`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(path));
  } catch (error) {
    throw refuse('the file cannot be read as UTF-8 text', error);
  }
}
