import assert from 'node:assert/strict';
import { z } from 'zod';

/** Figures that every contender has. */
const figures = z
  .object({
    mb_per_s: z.number().nonnegative(),
    cpu_s_per_gb: z.number().nonnegative(),
    client_cpu_s_per_gb: z.number().nonnegative(),
    rss_mb: z.number().positive(),
    streams: z.int().positive(),
    wall_s: z.number().positive(),
  })
  .catchall(z.number());

const comparison = {
  ours: figures,
  rivals: z.record(z.string(), figures),
  ratios: z.record(z.string(), z.number()),
};
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** The JSON of a subject at smoke size. */
export const reportShape = z.object({
  subject: z.string(),
  shows: z.string().min(1),
  ...comparison,
  variants: z.array(
    z.object({ name: z.string(), rows: z.int().nonnegative(), result_hash: sha256.nullable(), ...comparison }),
  ),
  bars: z.array(
    z.object({
      variant: z.string(),
      measure: z.string(),
      op: z.enum(['<=', '>=']),
      bar: z.number(),
      loosened: z.number(),
      measured: z.number(),
      result: z.enum(['reached', 'loosened', 'missed']),
    }),
  ),
  run: z.object({
    machine: z.string().min(1),
    versions: z.record(z.string(), z.string()),
    size: z.literal('smoke'),
    pairs: z.literal(1),
    inputs: z.record(z.string(), sha256),
  }),
});

/** That the parts of a report agree with one another. */
export function checkReport({ ours, variants, bars }: z.infer<typeof reportShape>): void {
  assert.deepEqual(ours, variants[0]!.ours, 'the first variant is at the top');
  for (const variant of variants) {
    for (const [rival, theirs] of Object.entries(variant.rivals)) {
      const { wall_s } = variant.ours;
      assert.equal(variant.ratios[`wall_s_vs_${rival}`], wall_s / theirs.wall_s, 'ratios are ours divided by theirs');
    }
  }
  assert.ok(bars.length > 0, 'every subject has bars');
  for (const { variant, measure, measured, bar, op, result } of bars) {
    const of = variants.find(({ name }) => name === variant)!;
    assert.equal(measured, of.ratios[measure] ?? of.ours[measure]);
    assert.equal(result === 'reached', op === '<=' ? measured <= bar : measured >= bar);
  }
}
