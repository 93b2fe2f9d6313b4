import type { VariantResult } from './interleave.ts';

/** What a subject must reach: a ratio to a rival, or a figure of ours. */
export interface Bar {
  /** A key of `ratios` (`cpu_s_per_gb_vs_tonic`), or of ours (`rss_mb`). */
  readonly measure: string;
  readonly op: '<=' | '>=';
  readonly bar: number;
  /** The variants that it holds for; absent = all that have the measure. */
  readonly of?: (variant: string) => boolean;
}

export interface BarResult {
  readonly variant: string;
  readonly measure: string;
  readonly op: Bar['op'];
  readonly bar: number;
  /** The bar loosened by half, which nothing may miss. */
  readonly loosened: number;
  readonly measured: number;
  readonly result: 'reached' | 'loosened' | 'missed';
}

/** How far an upper bound is raised, or a lower one is divided. */
const loosening = 1.5;

/** Every bar for every variant that it holds for and that measured it (a run may leave out rivals). */
export function judge(bars: readonly Bar[], variants: readonly VariantResult[]): BarResult[] {
  return variants.flatMap((variant) =>
    bars.flatMap(({ measure, op, bar, of = () => true }): BarResult[] => {
      const measured = variant.ratios[measure] ?? variant.ours[measure];
      if (measured === undefined || !of(variant.name)) return [];
      const loosened = op === '<=' ? bar * loosening : bar / loosening;
      const holds = (limit: number): boolean => (op === '<=' ? measured <= limit : measured >= limit);
      const result = holds(bar) ? 'reached' : holds(loosened) ? 'loosened' : 'missed';
      return [{ variant: variant.name, measure, op, bar, loosened, measured, result }];
    }),
  );
}

/** A bar on the ratio to each of some rivals. */
export const against = (
  rivals: readonly string[],
  figure: string,
  op: Bar['op'],
  bar: number,
  of?: Bar['of'],
): readonly Bar[] =>
  rivals.map((rival) => ({ measure: `${figure}_vs_${rival}`, op, bar, ...(of !== undefined && { of }) }));

/** Holds in every streaming subject: the server's memory beside its cache while it streams. */
export const memoryBar: Bar = { measure: 'rss_outside_cache_mb', op: '<=', bar: 300 };
