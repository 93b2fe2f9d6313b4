import type { Counter, Histogram, Meter } from '@opentelemetry/api';
import { PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { AggregationType, MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';
import {
  type CounterName,
  type GaugeName,
  type HistogramName,
  type InstrumentDefinition,
  instruments,
  type LabelsOf,
  type TotalName,
} from './instruments.ts';

const labelCharsMax = 64;
const otherLabel = 'other';

export interface Metrics {
  /** Adds to a counter; `value` is not negative. */
  add<Name extends CounterName>(name: Name, value: number, labels: LabelsOf<Name>): void;
  record<Name extends HistogramName>(name: Name, value: number, labels: LabelsOf<Name>): void;
  /** Sets where a gauge or total is read from, once for each source; several sources add up. Gives the way to take it away. */
  observe(name: GaugeName | TotalName, read: () => number): () => void;
  /** The Prometheus text format of everything counted so far. */
  exposition(): Promise<string>;
  close(): Promise<void>;
}

class PullReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

/**
 * Instruments of OpenTelemetry, read by Prometheus. Each label tells at most `labelsMax` values apart: further ones are counted together as
 * `other`, so that callers cannot grow the series without bound.
 */
export function createMetrics(labelsMax: number): Metrics {
  const reader = new PullReader();
  const provider = new MeterProvider({
    readers: [reader],
    views: Object.values(instruments).flatMap((definition) => histogramView(definition)),
  });
  const meter = provider.getMeter('headrace');
  const counters = new Map<string, Counter>();
  const histograms = new Map<string, Histogram>();
  const gauges = new Map<string, Set<() => number>>();
  for (const [key, definition] of Object.entries(instruments)) {
    const options = { description: definition.help };
    if (definition.kind === 'counter') counters.set(key, meter.createCounter(definition.name, options));
    else if (definition.kind === 'histogram') histograms.set(key, meter.createHistogram(definition.name, options));
    else gauges.set(key, observeSources(meter, definition));
  }
  const bound = boundLabels(labelsMax);
  const serializer = new PrometheusSerializer(undefined, false, undefined, true, true);
  return {
    add: (name, value, labels) => counters.get(name)!.add(value, bound(labels)),
    record: (name, value, labels) => histograms.get(name)!.record(value, bound(labels)),
    observe: (name, read) => {
      gauges.get(name)!.add(read);
      return () => void gauges.get(name)!.delete(read);
    },
    exposition: async () => serializer.serialize((await reader.collect()).resourceMetrics),
    close: () => provider.shutdown(),
  };
}

function histogramView(definition: InstrumentDefinition) {
  if (definition.kind !== 'histogram') return [];
  const options = { boundaries: [...(definition.buckets ?? [])] };
  return [
    {
      instrumentName: definition.name,
      aggregation: { type: AggregationType.EXPLICIT_BUCKET_HISTOGRAM as const, options },
    },
  ];
}

function observeSources(meter: Meter, { kind, name, help }: InstrumentDefinition): Set<() => number> {
  const sources = new Set<() => number>();
  const options = { description: help };
  const instrument =
    kind === 'total' ? meter.createObservableCounter(name, options) : meter.createObservableGauge(name, options);
  instrument.addCallback((result) => {
    let sum = 0;
    for (const read of sources) sum += read();
    result.observe(sum);
  });
  return sources;
}

function boundLabels(labelsMax: number): (labels: Readonly<Record<string, string>>) => Record<string, string> {
  const seen = new Map<string, Set<string>>();
  return (labels) => {
    const result: Record<string, string> = {};
    for (const [label, given] of Object.entries(labels)) {
      const value = given.slice(0, labelCharsMax);
      const values = seen.get(label) ?? new Set();
      seen.set(label, values);
      if (values.size < labelsMax) values.add(value);
      result[label] = values.has(value) ? value : otherLabel;
    }
    return result;
  };
}
