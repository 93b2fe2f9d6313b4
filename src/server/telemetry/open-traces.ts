import { noTraces, type Traces } from './traces.ts';

const endpointVariables = ['OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'];

/**
 * Traces to an OTLP collector where OpenTelemetry's own variables name one (`OTEL_EXPORTER_OTLP_ENDPOINT` and what belongs to it), else
 * none. A call costs a handful of spans, however many batches it streams.
 */
export async function openTraces(environment: NodeJS.ProcessEnv): Promise<Traces> {
  if (!endpointVariables.some((name) => (environment[name] ?? '') !== '')) return noTraces;
  // What tracing loads is left out where nobody listens.
  return (await import('./span-traces.ts')).tracesToCollector();
}
