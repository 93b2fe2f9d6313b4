/** What one sample showed, by name; GB and MB are decimal, of decoded Arrow. A figure that means nothing for a contender is absent. */
export type Figures = Readonly<Record<string, number>>;

export interface Sample {
  readonly figures: Figures;
  readonly rows: number;
  /** What the figures per GB are per. */
  readonly bytes: number;
  /** Milliseconds of each scan or call. */
  readonly latenciesMs: readonly number[];
}

/** What a sample cost, before it is put in relation to what it moved. */
export interface Cost {
  readonly bytes: number;
  readonly wallS: number;
  readonly cpuS: number;
  /** 0 where the work is done in the contender's own process. */
  readonly clientCpuS: number;
  readonly rssMb: number;
  readonly streams: number;
}

export function figuresOf({ bytes, wallS, cpuS, clientCpuS, rssMb, streams }: Cost): Figures {
  const gb = bytes / 1e9;
  return {
    mb_per_s: bytes / 1e6 / wallS,
    cpu_s_per_gb: cpuS / gb,
    client_cpu_s_per_gb: clientCpuS / gb,
    total_cpu_s_per_gb: (cpuS + clientCpuS) / gb,
    rss_mb: rssMb,
    streams,
    wall_s: wallS,
  };
}

/**
 * The median of each figure that all samples have, and the latencies of all of them together. What cannot be told, such as figures per
 * GB where nothing was moved, is left out.
 */
export function medianFigures(samples: readonly Sample[]): Figures {
  const names = Object.keys(samples[0]?.figures ?? {});
  const medians = names.map(
    (name) => [name, median(samples.map(({ figures }) => figures[name] ?? Number.NaN))] as const,
  );
  const latencies = samples.flatMap(({ latenciesMs }) => latenciesMs);
  const spread = latencies.length > 0 ? { p50_ms: quantile(latencies, 0.5), p99_ms: quantile(latencies, 0.99) } : {};
  const all = Object.entries({ ...Object.fromEntries(medians), ...spread });
  return Object.fromEntries(all.filter(([, value]) => Number.isFinite(value)));
}

/** Ours divided by the rival's, as `FIGURE_vs_RIVAL`, of the figures that both have and that can be divided by. */
export function ratiosTo(ours: Figures, rivals: Readonly<Record<string, Figures>>): Record<string, number> {
  const ratios: Record<string, number> = {};
  for (const [name, theirs] of Object.entries(rivals)) {
    for (const [figure, value] of Object.entries(ours)) {
      const divisor = theirs[figure] ?? 0;
      if (figure !== 'streams' && divisor > 0 && Number.isFinite(value))
        ratios[`${figure}_vs_${name}`] = value / divisor;
    }
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
