/** A server under measurement: Headrace or a rival. All take the same JSON requests. */
export interface Contender extends AsyncDisposable {
  readonly name: string;
  readonly pid: number;
  readonly uri: string;
  /** Where DoPut goes; absent = to `uri`. */
  readonly putUri?: string;
  /** Null where the server asks for none. */
  readonly token: string | null;
  /** PEM file of the authority that the server's certificate is from; null = no TLS. */
  readonly roots: string | null;
  /** What this contender's streams are compressed with instead of what the request says; absent = as it says. */
  readonly compression?: 'zstd' | null;
  /** The end of its log, to be shown when a client fails. */
  readonly log?: () => string;
  /** Bytes of the memory that its cache of data fills now; absent = it has none. */
  readonly cacheBytes?: () => Promise<number>;
}

/** The namespace of every table of the benchmarks. */
export const namespace = 'bench';

/** A scan request, as far as benchmarks use it. `filter` is Iceberg's expression JSON, which rivals read too, or its text. */
export interface BenchRequest {
  readonly table: string;
  readonly columns?: readonly string[];
  readonly filter?: FilterNode | string;
  readonly compression?: 'zstd';
  readonly shards?: number;
  readonly batch_rows?: number;
}

export type FilterNode =
  | { readonly type: 'and'; readonly left: FilterNode; readonly right: FilterNode }
  | {
      readonly type: 'lt' | 'lt-eq' | 'gt' | 'gt-eq' | 'eq' | 'not-eq';
      readonly term: string;
      readonly value: number | string;
    };
