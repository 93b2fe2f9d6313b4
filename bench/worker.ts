import { join } from 'node:path';
import { python, startChild } from './child.ts';
import type { Measurement } from './client.ts';
import { measureJob } from './client.ts';

const readyTimeoutMs = 600_000;

/** An engine that does the work in its own process, without a server: its CPU is what the work costs. */
export interface Engine extends AsyncDisposable {
  readonly name: string;
  measure(job: object): Promise<Measurement>;
}

/** Starts a script of `rivals/`, which prints a line when it is ready and then takes jobs as the measuring client does. */
export function startEngine(name: string, script: string, args: readonly string[]): Engine {
  const child = startChild(python, [join(import.meta.dirname, 'rivals', script), ...args]);
  const ready = child.line(readyTimeoutMs);
  return {
    name,
    async measure(job) {
      await ready;
      child.send(`${JSON.stringify(job)}\n`);
      await child.line(readyTimeoutMs);
      return await measureJob(child, { pid: child.pid });
    },
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  };
}
