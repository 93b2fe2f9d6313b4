import { type Figures, medianFigures, ratiosTo, type Sample } from './figures.ts';

/** One server, engine or way of doing the work, ready to be sampled. */
export interface Runner {
  readonly name: string;
  sample(): Promise<Sample>;
}

export interface VariantResult {
  readonly name: string;
  readonly ours: Figures;
  readonly rivals: Readonly<Record<string, Figures>>;
  readonly ratios: Readonly<Record<string, number>>;
  /** Of one scan or one unit of work. */
  readonly rows: number;
  /** Of the rows' content, the same from everyone that must give the same; null where there are no rows. */
  readonly resultHash: string | null;
}

/**
 * Samples ours and the rivals in turn (ours, theirs, ours, theirs …), so that what else the machine does falls on all alike, and gives
 * the medians.
 */
export async function interleave(
  { name, rows, resultHash }: Pick<VariantResult, 'name' | 'rows' | 'resultHash'>,
  ours: Runner,
  rivals: readonly Runner[],
  pairs: number,
): Promise<VariantResult> {
  const samples = new Map<Runner, Sample[]>([ours, ...rivals].map((runner) => [runner, []]));
  for (let pair = 0; pair < pairs; pair++) {
    for (const [runner, taken] of samples) taken.push(await runner.sample());
  }
  const figures = medianFigures(samples.get(ours)!);
  const theirs = Object.fromEntries(rivals.map((rival) => [rival.name, medianFigures(samples.get(rival)!)]));
  return { name, ours: figures, rivals: theirs, ratios: ratiosTo(figures, theirs), rows, resultHash };
}
