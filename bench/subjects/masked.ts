import { against, memoryBar } from '../bars.ts';
import type { Client } from '../client.ts';
import { namespace } from '../contender.ts';
import { openContenders } from '../contenders.ts';
import type { Input } from '../inputs.ts';
import type { VariantResult } from '../interleave.ts';
import { measureStreams, type StreamVariant } from '../measure.ts';
import { hashesOf, prepareInputs } from '../scan-subject.ts';
import type { RunOptions, Subject, SubjectRun } from '../subject.ts';

const team = 'masked';
/** Of 50,000 users that are drawn evenly: nine tenths of the rows. */
const usersShown = 45_000;
const maskKey = '6d61736b65642062656e63686d61726b206f66206865616472616365203332623a'.slice(0, 64);
const hidden = { country: 'show-last-4', email: 'sha-256-global' } as const;

/** Cedar that filters rows, masks a column of 6 values and one of 50,000, and shows the others raw. */
function policyOf(tables: Iterable<string>): string {
  const names = [...tables].map((name) => `${namespace}.${name}`);
  const columnsOf = (column: string): string => names.map((name) => `Column::"${name}.${column}"`).join(', ');
  const allHidden = Object.keys(hidden).map(columnsOf).join(', ');
  const scope = `principal in Team::"${team}"`;
  return [
    `@filter("user_id < ${usersShown}")`,
    `permit (${scope}, action == Action::"readTable", resource in Namespace::"${namespace}");`,
    `permit (${scope}, action == Action::"readColumn", resource in Namespace::"${namespace}")`,
    `unless { resource in [${allHidden}] };`,
    ...Object.entries(hidden).flatMap(([column, mask]) => [
      `@mask("${mask}")`,
      `permit (${scope}, action == Action::"readColumn", resource in Namespace::"${namespace}")`,
      `when { resource in [${columnsOf(column)}] };`,
    ]),
  ].join('\n');
}

/** A row filter that keeps nine tenths, a mask on a column of few values and one on a column of many. */
export const subject: Subject = {
  name: 'masked',
  shows: 'streaming through a row filter and two masks, per GB of table scanned',
  bars: [
    ...against(['unmasked'], 'cpu_s_per_gb', '<=', 1.25, (variant) => variant.startsWith('cold')),
    ...against(['duckdb'], 'cpu_s_per_gb', '<=', 0.5, (variant) => variant.startsWith('hot')),
    memoryBar,
  ],
  async run({ size, codecs, profiles, wants, progress }: RunOptions): Promise<SubjectRun> {
    const inputs = await prepareInputs(size, codecs);
    const env = { HEADRACE_MASKS_KEYS: JSON.stringify([{ id: 'bench', key: maskKey }]) };
    const policies = { 'masked.cedar': policyOf(inputs.keys()) };
    await using contenders = openContenders(inputs, { profiles, env, policies, rivalArguments: { duckdb: [maskKey] } });
    const masked = async (kind: 'cold' | 'hot'): Promise<Client> =>
      contenders.client(await (await contenders.headrace(kind)).as('headrace', [team]));
    const variants: VariantResult[] = [];
    for (const codec of codecs) {
      if (!wants('unmasked')) break;
      progress(`masked cold, ${codec}`);
      const unmasked = contenders.client({ ...(await contenders.headrace('cold')), name: 'unmasked' });
      const variant = { ...variantOf(`cold, ${codec}`, codec, 'warm', inputs), otherRows: ['unmasked'] };
      variants.push(await measureStreams(variant, await masked('cold'), [unmasked], size));
    }
    if (wants('duckdb')) {
      const codec = codecs[0]!;
      progress(`masked hot, ${codec}`);
      const variant = variantOf(`hot, ${codec}`, codec, codec, inputs);
      variants.push(await measureStreams(variant, await masked('hot'), [await contenders.rival('duckdb')], size));
    }
    return { variants, inputs: hashesOf(inputs) };
  },
};

function variantOf(name: string, table: string, warm: string, inputs: ReadonlyMap<string, Input>): StreamVariant {
  return {
    name: `${name}, 1 stream`,
    request: { table: `${namespace}.${table}` },
    warm: { table: `${namespace}.${warm}` },
    streams: 1,
    sampledBy: 'scanned',
    perScanned: true,
    scannedBytes: inputs.get(table)!.arrowBytes,
  };
}
