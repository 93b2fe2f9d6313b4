import type { Mask } from '../../core/access.ts';

type PlainMaskKind = Exclude<Mask['kind'], 'apply-transform'>;

/** Least restrictive first, as the vocabulary ranks them. */
const ranking: readonly Mask['kind'][] = [
  'truncate-to-month',
  'truncate-to-year',
  'show-first-4',
  'show-last-4',
  'mask-alphanum',
  'apply-transform',
  'sha-256-global',
  'sha-256-query-local',
  'mask-to-default',
  'replace-with-null',
];
const nothing: Mask = { kind: 'replace-with-null' };
const transformPattern = /^(?:bucket\[[1-9]\d{0,8}\]|truncate\[[1-9]\d{0,8}\]|year|month|day|hour|void)$/;

/** Reads the value of `@mask`; null for anything but a mask's name, with a transform where it is `apply-transform:…`. */
export function parseMask(text: string): Mask | null {
  const [kind, transform, ...rest] = text.split(':');
  if (kind === 'apply-transform') {
    // The transform `identity` shows the raw value, which no mask may do.
    return transform !== undefined && rest.length === 0 && transformPattern.test(transform)
      ? { kind, transform }
      : null;
  }
  return transform === undefined && ranking.includes(kind as Mask['kind']) ? { kind: kind as PlainMaskKind } : null;
}

export const maskNames: string = ranking
  .map((kind) => (kind === 'apply-transform' ? `${kind}:bucket[16]` : kind))
  .join(', ');

export const formatMask = (mask: Mask): string =>
  mask.kind === 'apply-transform' ? `${mask.kind}:${mask.transform}` : mask.kind;

/** The least restrictive of at least one mask; two of equal rank that differ show nothing. */
export function leastRestrictive(masks: readonly Mask[]): Mask {
  const best = Math.min(...masks.map((mask) => ranking.indexOf(mask.kind)));
  const candidates = masks.filter((mask) => ranking.indexOf(mask.kind) === best);
  const first = candidates[0];
  if (first === undefined) return nothing;
  return candidates.every((mask) => formatMask(mask) === formatMask(first)) ? first : nothing;
}
