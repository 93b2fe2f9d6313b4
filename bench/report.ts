import { type BarResult, judge } from './bars.ts';
import type { Figures } from './figures.ts';
import type { Circumstances } from './machine.ts';
import type { Size } from './size.ts';
import type { Subject, SubjectRun } from './subject.ts';

export interface Comparison {
  readonly ours: Figures;
  readonly rivals: Readonly<Record<string, Figures>>;
  /** Ours divided by the rival's. */
  readonly ratios: Readonly<Record<string, number>>;
}

/** The JSON of one subject: its first variant at the top, all of them in `variants`. */
export interface Report extends Comparison {
  readonly subject: string;
  readonly shows: string;
  readonly variants: readonly (Comparison & {
    readonly name: string;
    readonly rows: number;
    readonly result_hash: string | null;
  })[];
  readonly bars: readonly BarResult[];
  readonly run: Circumstances & {
    readonly size: string;
    readonly pairs: number;
    readonly sample_bytes: number;
    readonly inputs: Readonly<Record<string, string>>;
  };
}

export function reportOf(subject: Subject, { variants, inputs }: SubjectRun, size: Size, where: Circumstances): Report {
  const [first] = variants;
  if (first === undefined) throw new Error(`nothing of ${subject.name} is left to measure`);
  const { ours, rivals, ratios } = first;
  return {
    subject: subject.name,
    shows: subject.shows,
    ours,
    rivals,
    ratios,
    variants: variants.map(({ name, rows, resultHash, ...figures }) => ({
      name,
      rows,
      result_hash: resultHash,
      ours: figures.ours,
      rivals: figures.rivals,
      ratios: figures.ratios,
    })),
    bars: judge(subject.bars, variants),
    run: { ...where, size: size.name, pairs: size.pairs, sample_bytes: size.sampleBytes, inputs },
  };
}

/** The same for people. */
export function reportLines({ subject, shows, variants, bars, run }: Report): string[] {
  const versions = Object.entries(run.versions).map(([name, version]) => `${name} ${version}`);
  return [
    `${subject}: ${shows}`,
    `  machine  ${run.machine}, load ${run.load.toFixed(2)} before`,
    `  commit   ${run.commit ?? 'none'}; ${versions.join(', ')}`,
    `  size     ${run.size}: ${plural(run.pairs, 'pair')} of samples of at least ${(run.sample_bytes / 1e9).toFixed(2)} GB`,
    ...Object.entries(run.inputs).map(([table, hash]) => `  input    ${table}: sha256 ${hash}`),
    '',
    ...variants.flatMap(variantLines),
    ...(run.size === 'smoke' ? ['bars, of which this size says nothing:'] : ['bars:']),
    ...bars.map(barLine),
    '',
  ];
}

function variantLines({ name, rows, result_hash, ours, rivals, ratios }: Report['variants'][number]): string[] {
  const others = Object.entries(rivals);
  const cell = (value: number | undefined): string => (value === undefined ? '-' : numberText(value));
  const against = (figure: string, rival: string): string => {
    const ratio = ratios[`${figure}_vs_${rival}`];
    return ratio === undefined ? '-' : ratio.toFixed(2);
  };
  const figures = [...new Set([ours, ...Object.values(rivals)].flatMap((each) => Object.keys(each)))];
  const lines = figures.map((figure) => [
    figure,
    cell(ours[figure]),
    ...others.flatMap(([rival, theirs]) => [cell(theirs[figure]), against(figure, rival)]),
  ]);
  return [
    `${name}: ${rows} rows${result_hash === null ? '' : `, result ${result_hash.slice(0, 16)}`}`,
    ...aligned([['', 'headrace', ...others.flatMap(([rival]) => [rival, 'ratio'])], ...lines]),
    '',
  ];
}

/** Four digits that count, without an exponent. */
export const numberText = (value: number): string =>
  Number.isFinite(value)
    ? value.toFixed(Math.max(0, Math.min(4, 3 - Math.floor(Math.log10(Math.abs(value) || 1)))))
    : '-';

const marks = { reached: 'reached ', loosened: 'LOOSENED', missed: 'MISSED  ' } as const;

const barLine = ({ variant, measure, op, bar, measured, result }: BarResult): string =>
  `  ${marks[result]}  ${variant}: ${measure} ${numberText(measured)} (bar ${op} ${bar})`;

function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) => {
    const line = row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)));
    return `  ${line.join('  ')}`;
  });
}

const plural = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;
