/** Every instrument that `/metrics` shows. Names are Prometheus', units last; a counter's name ends in `_total` there. */
const account = ['team', 'workload'] as const;

export const instruments = {
  scannedBytes: {
    kind: 'counter',
    name: 'headrace_scanned_bytes',
    labels: account,
    help: 'Bytes read from data files',
  },
  scannedRows: {
    kind: 'counter',
    name: 'headrace_scanned_rows',
    labels: account,
    help: 'Rows decoded from data files',
  },
  plannedFiles: {
    kind: 'counter',
    name: 'headrace_planned_files',
    labels: account,
    help: 'Data files that plans kept',
  },
  prunedFiles: {
    kind: 'counter',
    name: 'headrace_pruned_files',
    labels: account,
    help: 'Data files that plans skipped',
  },
  plannedRowGroups: {
    kind: 'counter',
    name: 'headrace_planned_row_groups',
    labels: account,
    help: 'Row groups that plans kept',
  },
  prunedRowGroups: {
    kind: 'counter',
    name: 'headrace_pruned_row_groups',
    labels: account,
    help: 'Row groups that plans skipped',
  },
  sentBytes: { kind: 'counter', name: 'headrace_sent_bytes', labels: account, help: 'Bytes of Flight messages sent' },
  sentRows: { kind: 'counter', name: 'headrace_sent_rows', labels: account, help: 'Rows sent' },
  putBytes: { kind: 'counter', name: 'headrace_put_bytes', labels: account, help: 'Bytes of Flight messages received' },
  putRows: { kind: 'counter', name: 'headrace_put_rows', labels: account, help: 'Rows committed by writes' },
  activeStreams: { kind: 'gauge', name: 'headrace_active_streams', labels: [], help: 'Streams that are open' },
  queuedBytes: { kind: 'gauge', name: 'headrace_queued_bytes', labels: [], help: 'Bytes waiting for slow readers' },
  connections: { kind: 'gauge', name: 'headrace_connections', labels: [], help: 'Open Flight connections' },
  refusedStreams: { kind: 'counter', name: 'headrace_refused_streams', labels: [], help: 'Streams refused by a limit' },
  cacheHits: {
    kind: 'total',
    name: 'headrace_cache_hits',
    labels: [],
    help: 'Segments of columns that streams found decoded, or that another one was decoding',
  },
  cacheMisses: {
    kind: 'total',
    name: 'headrace_cache_misses',
    labels: [],
    help: 'Segments of columns that streams had to decode',
  },
  cacheEvictions: {
    kind: 'total',
    name: 'headrace_cache_evictions',
    labels: [],
    help: 'Segments of columns that gave way to others',
  },
  cacheBytes: {
    kind: 'gauge',
    name: 'headrace_cache_bytes',
    labels: [],
    help: 'Bytes of decoded columns in memory, evicted ones that are not freed yet included',
  },
  cacheEntries: {
    kind: 'gauge',
    name: 'headrace_cache_entries',
    labels: [],
    help: 'Segments of columns in memory',
  },
  callSeconds: {
    kind: 'histogram',
    name: 'headrace_call_duration_seconds',
    labels: ['call', 'code'],
    help: 'Duration of calls, streams included',
    buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800],
  },
  httpSeconds: {
    kind: 'histogram',
    name: 'headrace_http_duration_seconds',
    labels: ['route', 'status'],
    help: 'Duration of HTTP requests',
    buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  },
} as const satisfies Record<string, InstrumentDefinition>;

export interface InstrumentDefinition {
  /** A `total` is a counter that is kept elsewhere, and read like a gauge. */
  readonly kind: 'counter' | 'total' | 'gauge' | 'histogram';
  readonly name: string;
  readonly labels: readonly string[];
  readonly help: string;
  /** Upper bounds of a histogram's buckets. */
  readonly buckets?: readonly number[];
}

type Definitions = typeof instruments;
type NamesOf<Kind extends InstrumentDefinition['kind']> = {
  [Name in keyof Definitions]: Definitions[Name]['kind'] extends Kind ? Name : never;
}[keyof Definitions];

export type CounterName = NamesOf<'counter'>;
export type GaugeName = NamesOf<'gauge'>;
export type TotalName = NamesOf<'total'>;
export type HistogramName = NamesOf<'histogram'>;
export type LabelsOf<Name extends keyof Definitions> = {
  readonly [Label in Definitions[Name]['labels'][number]]: string;
};
