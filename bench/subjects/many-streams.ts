import type { Client } from '../client.ts';
import { namespace } from '../contender.ts';
import { openContenders } from '../contenders.ts';
import { interleave, type Runner } from '../interleave.ts';
import { type StreamVariant, streamRunner } from '../measure.ts';
import { hashesOf, prepareInputs } from '../scan-subject.ts';
import type { Size } from '../size.ts';
import type { RunOptions, Subject, SubjectRun } from '../subject.ts';

const codec = 'zstd';
const request = { table: `${namespace}.${codec}` };
const fast = 4;
const streamsPerConnection = 50;

/** Readers that read beside many that do not. */
export const subject: Subject = {
  name: 'many-streams',
  shows: `${fast} streams of a hot table beside many that nobody reads`,
  bars: [
    { measure: 'mb_per_s_vs_alone', op: '>=', bar: 0.9 },
    { measure: 'rss_outside_cache_mb', op: '<=', bar: 1024 * 1.048576 },
  ],
  async run({ size, profiles, progress }: RunOptions): Promise<SubjectRun> {
    const inputs = await prepareInputs(size, [codec]);
    await using contenders = openContenders(inputs, { profiles });
    const ours = await contenders.ours('hot');
    const idle = contenders.client(ours.contender);
    const content = await ours.hash(request);
    const name = `${fast} streams beside ${size.stalled} stalled`;
    progress(`many-streams ${name}`);
    const { arrowBytes: scannedBytes } = inputs.get(codec)!;
    const variant: StreamVariant = {
      ...{ name, request, warm: request, streams: fast, divide: true, sampledBy: 'received', scannedBytes },
    };
    const alone = streamRunner(variant, ours, content, size);
    const about = { name, rows: content.rows, resultHash: content.hash };
    const measured = await interleave(
      about,
      besideStalled(alone, idle, size),
      [{ ...alone, name: 'alone' }],
      size.pairs,
    );
    return { variants: [measured], inputs: hashesOf(inputs) };
  },
};

function besideStalled(runner: Runner, idle: Client, { stalled }: Size): Runner {
  return {
    name: runner.name,
    async sample() {
      await using _held = await idle.stall(request, stalled, Math.ceil(stalled / streamsPerConnection));
      return await runner.sample();
    },
  };
}
