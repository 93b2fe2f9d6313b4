import type { Sample } from './client.ts';

/** What is reported of one server: medians over its samples. GB and MB are decimal, of decoded Arrow received. */
export interface Figures {
  readonly mb_per_s: number;
  readonly cpu_s_per_gb: number;
  readonly client_cpu_s_per_gb: number;
  readonly rss_mb: number;
  readonly streams: number;
  /** Seconds of one sample. */
  readonly wall_s: number;
}

/** Beside the figures, for people. */
export interface Pace {
  readonly rowsPerS: number;
  /** Milliseconds of one scan, planning included. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly sampleBytes: number;
}

export function figuresOf(samples: readonly Sample[], streams: number): Figures {
  const of = (value: (sample: Sample) => number): number => median(samples.map(value));
  return {
    mb_per_s: of(({ bytes, wallS }) => bytes / 1e6 / wallS),
    cpu_s_per_gb: of(({ bytes, serverCpuS }) => serverCpuS / (bytes / 1e9)),
    client_cpu_s_per_gb: of(({ bytes, clientCpuS }) => clientCpuS / (bytes / 1e9)),
    rss_mb: of(({ rssMb }) => rssMb),
    streams,
    wall_s: of(({ wallS }) => wallS),
  };
}

export function paceOf(samples: readonly Sample[]): Pace {
  const scans = samples.flatMap(({ scanMs }) => scanMs);
  return {
    rowsPerS: median(samples.map(({ rows, wallS }) => rows / wallS)),
    p50Ms: quantile(scans, 0.5),
    p99Ms: quantile(scans, 0.99),
    sampleBytes: median(samples.map(({ bytes }) => bytes)),
  };
}

const compared = [
  'mb_per_s',
  'cpu_s_per_gb',
  'client_cpu_s_per_gb',
  'rss_mb',
  'wall_s',
] as const satisfies (keyof Figures)[];

/** Ours divided by the rival's, as `FIGURE_vs_RIVAL`. */
export function ratiosTo(ours: Figures, rivals: Readonly<Record<string, Figures>>): Record<string, number> {
  const ratios: Record<string, number> = {};
  for (const [name, theirs] of Object.entries(rivals)) {
    for (const figure of compared) ratios[`${figure}_vs_${name}`] = ours[figure] / theirs[figure];
  }
  return ratios;
}

/** The middle value, or the mean of the two in the middle; NaN of none. */
export const median = (values: readonly number[]): number => quantile(values, 0.5);

/** Interpolated between the neighbours; NaN of no values. */
export function quantile(values: readonly number[], fraction: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * fraction;
  const low = sorted[Math.floor(at)] ?? Number.NaN;
  const high = sorted[Math.ceil(at)] ?? Number.NaN;
  return low + (high - low) * (at - Math.floor(at));
}
