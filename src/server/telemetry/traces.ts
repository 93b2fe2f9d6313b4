import type { Attributes } from '@opentelemetry/api';

/** What one call did, as spans of OpenTelemetry: one for the call, one for each step in it. */
export interface Trace {
  /** Runs a step as a span below the call's. Its failure is noted by its code alone. */
  step<Result>(name: string, work: () => Promise<Result>): Promise<Result>;
  /** A step that ends later. */
  begin(name: string): TraceStep;
  /** Ends the call's span; `outcome` is `complete` or an error's code. Later calls do nothing. */
  end(outcome: string, attributes?: Attributes): void;
}

export interface TraceStep {
  /** Later calls do nothing. */
  end(outcome: string, attributes?: Attributes): void;
}

export interface Traces {
  /** `parent`: the caller's `traceparent` header (W3C Trace Context), null or malformed = a trace of its own. */
  begin(name: string, parent: string | null, attributes?: Attributes): Trace;
  /** Sends what is left. */
  close(): Promise<void>;
}

/** For calls that are not traced. */
export const noTrace: Trace = {
  step: (_, work) => work(),
  begin: () => ({ end: () => undefined }),
  end: () => undefined,
};

/** For where nobody listens. */
export const noTraces: Traces = { begin: () => noTrace, close: async () => undefined };
