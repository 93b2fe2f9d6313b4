export type SizeName = 'smoke' | 'full';

/** How much is measured. */
export interface Size {
  readonly name: SizeName;
  /** Of the benchmark table. */
  readonly rows: number;
  /** Of the other table that servers are warmed on. */
  readonly warmRows: number;
  /** Times that each stream reads it before a sample. */
  readonly warmScans: number;
  /** Bytes that one sample covers at least. */
  readonly sampleBytes: number;
  /** Interleaved samples of each server. */
  readonly pairs: number;
  readonly streams: readonly number[];
}

export const sizes: Readonly<Record<SizeName, Size>> = {
  smoke: { name: 'smoke', rows: 20_000, warmRows: 1_000, warmScans: 1, sampleBytes: 10e6, pairs: 1, streams: [1, 4] },
  full: { name: 'full', rows: 2_000_000, warmRows: 262_144, warmScans: 8, sampleBytes: 5e9, pairs: 7, streams: [1, 4] },
};
