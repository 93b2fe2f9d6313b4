import { join } from 'node:path';
import { type Child, python, startChild } from './child.ts';
import type { BenchRequest, Contender } from './contender.ts';
import { cpuSecondsBetween, peakMemoryMb, readBytes, readCpu, resetPeakMemory } from './process-cost.ts';

const script = join(import.meta.dirname, 'client.py');
const answerTimeoutMs = 3_600_000;

/** What one untimed scan holds. */
export interface Content {
  readonly rows: number;
  /** Decoded Arrow as this server sends it. */
  readonly bytes: number;
  /** The same for the same rows, in any order and any batches. */
  readonly hash: string;
}

export interface StreamJob {
  readonly request: BenchRequest;
  /** Read before the clock starts. */
  readonly warm: BenchRequest;
  readonly warmScans: number;
  readonly streams: number;
  /** By each stream. */
  readonly scans: number;
  /** Each stream reads its own shard of every scan instead of the whole. */
  readonly divide: boolean;
  /** All streams share one connection. */
  readonly oneConnection?: boolean;
  /** A scan ends with its first batch. */
  readonly firstOnly?: boolean;
}

export interface PutJob {
  /** An Arrow file. */
  readonly data: string;
  readonly put: object;
  readonly times: number;
}

/** What one timed job moved and cost. */
export interface Measurement {
  readonly rows: number;
  readonly bytes: number;
  readonly wallS: number;
  readonly serverCpuS: number;
  readonly clientCpuS: number;
  /** The server's resident memory at its peak, and the same less what its cache held at the end. */
  readonly rssMb: number;
  readonly rssOutsideCacheMb: number;
  /** Bytes that the server read; null where the system does not count them. */
  readonly readBytes: number | null;
  /** Milliseconds of each scan, from its planning to its last byte, or of each put. */
  readonly callMs: readonly number[];
}

/** What each part of an interrupted scan read; bytes as the server's system calls count them. */
export interface Resumption {
  readonly rowsBefore: number;
  readonly rowsAfter: number;
  readonly after: Measurement;
}

/** Addresses to go to instead of those that a server names. */
export type Rewrite = Readonly<Record<string, string>>;

/** The measuring client of one server, in a process of its own. */
export interface Client extends AsyncDisposable {
  readonly name: string;
  readonly contender: Contender;
  hash(request: BenchRequest): Promise<Content>;
  /** The addresses that a scan's endpoints name. */
  locations(request: BenchRequest): Promise<readonly string[]>;
  /** Connects and warms up, then counts what the job costs server and client. */
  stream(job: StreamJob): Promise<Measurement>;
  put(job: PutJob): Promise<Measurement>;
  /** Plans, without reading. The measurement's rows are the files that one plan kept. */
  plan(request: BenchRequest, calls: number, warm: BenchRequest): Promise<Measurement>;
  /** Reads a scan until so many of its rows have come, cancels it, and reads the rest from its cursor. */
  resume(request: BenchRequest, rows: number, until: number): Promise<Resumption>;
  /** Opens streams that nobody reads. They are held until the answer is disposed. */
  stall(request: BenchRequest, streams: number, connections: number): Promise<AsyncDisposable>;
}

/** A client of a server, reached through other addresses where `rewrite` names them. */
export function openClient(contender: Contender, rewrite: Rewrite = {}): Client {
  const { name, token, roots } = contender;
  const client = startChild(python, [script]);
  const where = { uri: rewrite[contender.uri] ?? contender.uri, token, roots, rewrite };
  const adapt = <T extends BenchRequest>(request: T): T =>
    contender.compression === undefined ? request : { ...request, compression: contender.compression ?? undefined };
  const send = (job: object): void => client.send(`${JSON.stringify({ ...where, ...job })}\n`);
  const answer = async (): Promise<unknown> => {
    try {
      return JSON.parse(await client.line(answerTimeoutMs));
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${name}'s log ends:\n${contender.log?.() ?? ''}`);
    }
  };
  const measured = async (job: object): Promise<Measurement> => {
    send(job);
    await answer();
    return await measureJob(client, contender);
  };
  return {
    name,
    contender,
    async hash(request) {
      send({ mode: 'hash', request: adapt(request) });
      return (await answer()) as Content;
    },
    async locations(request) {
      send({ mode: 'locations', request });
      return ((await answer()) as { readonly locations: readonly string[] }).locations;
    },
    stream: (job) => measured({ mode: 'measure', ...job, request: adapt(job.request), warm: adapt(job.warm) }),
    put: (job) =>
      measured({
        mode: 'put',
        ...job,
        ...(contender.putUri && { uri: rewrite[contender.putUri] ?? contender.putUri }),
      }),
    plan: (request, calls, warm) => measured({ mode: 'plan', request: adapt(request), calls, warm: adapt(warm) }),
    async resume(request, rows, until) {
      send({ mode: 'resume', request: adapt(request), rows, until });
      await answer();
      const after = await measureJob(client, contender);
      return { rowsBefore: rows - after.rows, rowsAfter: after.rows, after };
    },
    async stall(request, streams, connections) {
      send({ mode: 'stall', request: adapt(request), streams, connections });
      await answer();
      return {
        async [Symbol.asyncDispose]() {
          client.send('go\n');
          await answer();
        },
      };
    },
    [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
  };
}

/** Has a process that is ready do the job that it was given, and counts what that costs the server (or the process itself). */
export async function measureJob(
  child: Child,
  { pid, cacheBytes }: Pick<Contender, 'pid' | 'cacheBytes'>,
): Promise<Measurement> {
  await resetPeakMemory(pid);
  const [cpu, read] = [await readCpu(pid), await readBytes(pid)];
  child.send('go\n');
  const { rows, bytes, wall_s, client_cpu_s, scan_ms } = JSON.parse(await child.line(answerTimeoutMs)) as Answer;
  const serverCpuS = cpuSecondsBetween(cpu, await readCpu(pid));
  const readAfter = await readBytes(pid);
  const rssMb = await peakMemoryMb(pid);
  const cachedMb = ((await cacheBytes?.()) ?? 0) / 1e6;
  return {
    rows,
    bytes,
    wallS: wall_s,
    serverCpuS,
    clientCpuS: client_cpu_s,
    rssMb,
    rssOutsideCacheMb: rssMb - cachedMb,
    readBytes: read === null || readAfter === null ? null : readAfter - read,
    callMs: scan_ms,
  };
}

interface Answer {
  readonly rows: number;
  readonly bytes: number;
  readonly wall_s: number;
  readonly client_cpu_s: number;
  readonly scan_ms: readonly number[];
}
