import {
  type Attributes,
  type Context,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { BatchSpanProcessor, type SpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { isServiceError } from '../../core/errors.ts';
import type { Trace, Traces } from './traces.ts';

/** Traces to the collector that OpenTelemetry's own environment variables name. */
export const tracesToCollector = (): Traces =>
  createTraces(new BatchSpanProcessor({ exporter: new OTLPTraceExporter() }));

export function createTraces(processor: SpanProcessor): Traces {
  const provider = new TracerProvider({ spanProcessors: [processor] });
  const tracer = provider.getTracer('headrace');
  return {
    begin(name, parent, attributes = {}) {
      const options = { kind: SpanKind.SERVER, attributes };
      return traceOf(tracer, tracer.startSpan(name, options, contextOf(parent)));
    },
    close: () => provider.shutdown(),
  };
}

function traceOf(tracer: Tracer, root: Span): Trace {
  const context = trace.setSpan(ROOT_CONTEXT, root);
  return {
    async step(name, work) {
      const span = tracer.startSpan(name, {}, context);
      try {
        return await work();
      } catch (error) {
        fail(span, isServiceError(error) ? error.code : 'INTERNAL');
        throw error;
      } finally {
        span.end();
      }
    },
    begin(name) {
      const span = tracer.startSpan(name, {}, context);
      return { end: (outcome, attributes) => end(span, outcome, attributes) };
    },
    end: (outcome, attributes) => end(root, outcome, attributes),
  };
}

function end(span: Span, outcome: string, attributes: Attributes = {}): void {
  if (!span.isRecording()) return;
  span.setAttributes({ ...attributes, 'headrace.outcome': outcome });
  if (outcome !== 'complete') fail(span, outcome);
  span.end();
}

const fail = (span: Span, code: string): void => {
  span.setStatus({ code: SpanStatusCode.ERROR, message: code });
};

const traceParent = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/** The caller's span as the parent (W3C Trace Context, section 3.2). */
function contextOf(parent: string | null): Context {
  const found = parent === null ? null : traceParent.exec(parent);
  if (found === null || /^0+$/.test(found[1]!) || /^0+$/.test(found[2]!)) return ROOT_CONTEXT;
  const isSampled = (Number.parseInt(found[3]!, 16) & TraceFlags.SAMPLED) !== 0;
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId: found[1]!,
    spanId: found[2]!,
    traceFlags: isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
    isRemote: true,
  });
}
