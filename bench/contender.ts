/** A Flight server under measurement: Headrace or a rival. Both take the same JSON requests. */
export interface Contender extends AsyncDisposable {
  readonly name: string;
  readonly pid: number;
  readonly uri: string;
  /** Null where the server asks for none. */
  readonly token: string | null;
}

/** The namespace of every table of the benchmarks. */
export const namespace = 'bench';

/** A scan request, as far as benchmarks use it. `filter` is Iceberg's expression JSON, which rivals read too. */
export interface BenchRequest {
  readonly table: string;
  readonly columns?: readonly string[];
  readonly filter?: FilterNode;
}

export type FilterNode =
  | { readonly type: 'and'; readonly left: FilterNode; readonly right: FilterNode }
  | { readonly type: 'lt' | 'gt-eq'; readonly term: string; readonly value: number };
