import { execFile } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';

/** What a process had used of the CPU at some moment. */
export interface CpuReading {
  /** Nanoseconds, by thread, of the threads that ran then. */
  readonly threads: ReadonlyMap<string, number>;
  /** Seconds of all threads, ended ones included, in steps of a hundredth or more. */
  readonly total: number;
}

/** Reads /proc where there is one, and asks `ps` elsewhere. */
export async function readCpu(pid: number): Promise<CpuReading> {
  try {
    return { threads: await schedstats(pid), total: await statSeconds(pid) };
  } catch {
    const { stdout } = await promisify(execFile)('ps', ['-o', 'time=', '-p', String(pid)]);
    return { threads: new Map(), total: clockSeconds(stdout.trim()) };
  }
}

/** Seconds of CPU between two readings. Schedstat is exact but misses threads that ended meanwhile; the total has them, in ticks. */
export function cpuSecondsBetween(before: CpuReading, after: CpuReading): number {
  let nanoseconds = 0;
  for (const [thread, used] of after.threads) nanoseconds += used - (before.threads.get(thread) ?? 0);
  return Math.max(nanoseconds / 1e9, after.total - before.total);
}

async function schedstats(pid: number): Promise<ReadonlyMap<string, number>> {
  const threads = await readdir(`/proc/${pid}/task`);
  const read = async (thread: string): Promise<[string, number]> => {
    // A thread may end between the listing and the reading.
    const text = await readFile(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').catch(() => '0');
    return [thread, Number(text.split(' ')[0])];
  };
  return new Map(await Promise.all(threads.map(read)));
}

/** The kernel's clock ticks of /proc/PID/stat, which are hundredths of a second on every architecture that Node runs on. */
const ticksPerSecond = 100;

async function statSeconds(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8');
  // The second field is the command's name in parentheses, which may hold anything; user and system time are the 14th and 15th.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** `[[dd-]hh:]mm:ss[.ff]` in seconds. */
function clockSeconds(text: string): number {
  const [days, clock] = text.includes('-') ? text.split('-') : ['0', text];
  const seconds = clock!.split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
  return Number(days) * 86_400 + seconds;
}

/**
 * Bytes that a process has read by system calls so far, from files that the page cache holds too, and what little arrives on its
 * sockets; null where the system does not count them.
 */
export async function readBytes(pid: number): Promise<number | null> {
  const text = await readFile(`/proc/${pid}/io`, 'utf8').catch(() => '');
  const found = /^rchar: (\d+)$/m.exec(text);
  return found === null ? null : Number(found[1]);
}

/** Lets the peak of a process's resident memory start again from now, where the system allows it. */
export async function resetPeakMemory(pid: number): Promise<void> {
  // 5 resets the high-water mark: proc(5), /proc/pid/clear_refs.
  await writeFile(`/proc/${pid}/clear_refs`, '5').catch(() => {});
}

/** Megabytes of resident memory at its peak since the last reset; at the moment, where the system does not tell the peak. */
export async function peakMemoryMb(pid: number): Promise<number> {
  try {
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    return (Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)![1]) * 1024) / 1e6;
  } catch {
    const { stdout } = await promisify(execFile)('ps', ['-o', 'rss=', '-p', String(pid)]);
    return (Number(stdout.trim()) * 1024) / 1e6;
  }
}
