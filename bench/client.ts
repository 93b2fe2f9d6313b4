import { join } from 'node:path';
import { python, startChild } from './child.ts';
import type { BenchRequest, Contender } from './contender.ts';
import { cpuSecondsBetween, peakMemoryMb, readCpu, resetPeakMemory } from './process-cost.ts';

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

export interface SampleJob {
  readonly request: BenchRequest;
  /** Read before the clock starts. */
  readonly warm: BenchRequest;
  readonly warmScans: number;
  readonly streams: number;
  /** By each stream. */
  readonly scans: number;
}

/** One measured run of a job against one server. */
export interface Sample {
  readonly rows: number;
  readonly bytes: number;
  readonly wallS: number;
  readonly serverCpuS: number;
  readonly clientCpuS: number;
  readonly rssMb: number;
  /** Milliseconds of each scan, from its planning to its last byte. */
  readonly scanMs: readonly number[];
}

/** The measuring client of one server, in a process of its own. */
export interface Client extends AsyncDisposable {
  readonly name: string;
  hash(request: BenchRequest): Promise<Content>;
  /** Connects and warms up, then counts what the job costs server and client. */
  sample(job: SampleJob): Promise<Sample>;
}

export function openClient({ name, uri, token, pid }: Contender): Client {
  const client = startChild(python, [script]);
  const ask = async (job: object): Promise<unknown> => {
    client.send(`${JSON.stringify({ uri, token, ...job })}\n`);
    return JSON.parse(await client.line(answerTimeoutMs));
  };
  return {
    name,
    hash: async (request) => (await ask({ mode: 'hash', request })) as Content,
    async sample(job) {
      await ask({ mode: 'measure', ...job });
      await resetPeakMemory(pid);
      const before = await readCpu(pid);
      client.send('go\n');
      const answer = JSON.parse(await client.line(answerTimeoutMs)) as ClientAnswer;
      const serverCpuS = cpuSecondsBetween(before, await readCpu(pid));
      return {
        rows: answer.rows,
        bytes: answer.bytes,
        wallS: answer.wall_s,
        serverCpuS,
        clientCpuS: answer.client_cpu_s,
        rssMb: await peakMemoryMb(pid),
        scanMs: answer.scan_ms,
      };
    },
    [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
  };
}

interface ClientAnswer {
  readonly rows: number;
  readonly bytes: number;
  readonly wall_s: number;
  readonly client_cpu_s: number;
  readonly scan_ms: readonly number[];
}
