/** Real pyarrow clients in a process of their own (agent.py), driven call by call. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pythonPath } from '../support/python.ts';

/** What a call was refused with. */
export interface Refusal {
  readonly code: string;
  readonly message: string;
  /** The class of the Python exception. */
  readonly kind: string;
}

export class RefusedError extends Error {
  readonly refusal: Refusal;
  constructor(refusal: Refusal) {
    super(`${refusal.code}: ${refusal.message}`);
    this.refusal = refusal;
  }
}

export interface InfoAnswer {
  readonly schema: readonly string[];
  readonly total_records: number;
  readonly total_bytes: number;
  /** In base64, one for each endpoint. */
  readonly tickets: readonly string[];
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly path: readonly string[];
  /** The serialized FlightInfo in base64. */
  readonly bytes: string;
}

export type Row = Readonly<Record<string, unknown>>;

export interface ScanAnswer extends InfoAnswer {
  readonly rows: readonly Row[];
  /** Rows of each batch. */
  readonly batches: readonly number[];
}

export interface BatchAnswer {
  readonly rows: number;
  readonly bytes: number;
  readonly next: number;
  readonly cursor: string;
  readonly ids?: readonly number[];
  readonly digest?: string;
}

export interface Agent extends AsyncDisposable {
  /** Runs one operation of agent.py. Rejects with RefusedError. */
  call<Answer>(op: string, args: object): Promise<Answer>;
  /** The refusal that an operation meets; throws where it succeeds. */
  refused(op: string, args: object): Promise<Refusal>;
}

export function startAgent(): Agent {
  const child = spawn(pythonPath(), [join(import.meta.dirname, 'agent.py')], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1', PYTHONWARNINGS: 'ignore', GRPC_VERBOSITY: 'NONE' },
  });
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-4_000);
  });
  child.stdin.on('error', () => {});
  createInterface({ input: child.stdout }).on('line', (line) => {
    const { id, value, error } = JSON.parse(line) as { id: number; value?: unknown; error?: Refusal };
    if (error === undefined) waiting.get(id)?.resolve(value);
    else waiting.get(id)?.reject(new RefusedError(error));
    waiting.delete(id);
  });
  const exited = new Promise<void>((resolve) => {
    child.once('close', () => {
      for (const { reject } of waiting.values()) reject(new Error(`the agent ended:\n${stderr}`));
      resolve();
    });
  });
  let next = 0;
  const call = <Answer>(op: string, args: object): Promise<Answer> => {
    const id = next++;
    const answer = Promise.withResolvers<unknown>();
    // A refusal is the caller's to handle, also when it looks only later.
    answer.promise.catch(() => {});
    waiting.set(id, answer);
    child.stdin.write(`${JSON.stringify({ id, op, ...args })}\n`);
    return answer.promise as Promise<Answer>;
  };
  return {
    call,
    async refused(op, args) {
      try {
        await call(op, args);
      } catch (error) {
        if (error instanceof RefusedError) return error.refusal;
        throw error;
      }
      throw new Error(`${op} succeeded`);
    },
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await exited;
    },
  };
}
