export const sizeNames = ['smoke', 'short', 'full'] as const;
export type SizeName = (typeof sizeNames)[number];

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
  /** Calls of a sample that measures latency. */
  readonly calls: number;
  /** Interleaved samples of each server. */
  readonly pairs: number;
  readonly streams: readonly number[];
  /** Data files of the tables that are planned, the last being the one that is compared. */
  readonly plannedFiles: readonly number[];
  /** Filters that each of them is planned with. */
  readonly questions: number;
  /** Readers that stall. */
  readonly stalled: number;
}

const table = { rows: 2_000_000, warmRows: 262_144, streams: [1, 4] };

export const sizes: Readonly<Record<SizeName, Size>> = {
  /** Seconds: shows that everything works and that rows agree, and nothing about speed. */
  smoke: {
    ...{ name: 'smoke', rows: 20_000, warmRows: 1_000, warmScans: 1, sampleBytes: 5e6, calls: 2, pairs: 1 },
    ...{ streams: [1, 4], plannedFiles: [4_000], questions: 1, stalled: 20 },
  },
  /** Minutes a subject, for working on it. */
  short: {
    ...{ name: 'short', ...table, warmScans: 2, sampleBytes: 0.5e9, calls: 5, pairs: 3 },
    ...{ plannedFiles: [100_000], questions: 3, stalled: 1_000 },
  },
  /** What bars are judged by. */
  full: {
    ...{ name: 'full', ...table, warmScans: 8, sampleBytes: 5e9, calls: 20, pairs: 7 },
    ...{ plannedFiles: [10_000, 1_000_000, 100_000], questions: 3, stalled: 1_000 },
  },
};
