import type { Figures, Pace } from './figures.ts';
import type { Circumstances } from './machine.ts';
import type { VariantResult } from './measure.ts';
import type { Size } from './size.ts';
import type { Subject, SubjectRun } from './subject.ts';

interface Comparison {
  readonly ours: Figures;
  readonly rivals: Readonly<Record<string, Figures>>;
  /** Ours divided by the rival's. */
  readonly ratios: Readonly<Record<string, number>>;
}

/** The JSON of one subject: its first variant at the top, all of them in `variants`. */
export interface Report extends Comparison {
  readonly subject: string;
  readonly variants: readonly (Comparison & {
    readonly name: string;
    readonly rows: number;
    readonly result_hash: string;
  })[];
  readonly run: Circumstances & {
    readonly size: string;
    readonly pairs: number;
    readonly sample_bytes: number;
    readonly inputs: Readonly<Record<string, string>>;
  };
}

export function reportOf(subject: Subject, { variants, inputs }: SubjectRun, size: Size, where: Circumstances): Report {
  const { ours, rivals, ratios } = variants[0]!;
  return {
    subject: subject.name,
    ours,
    rivals,
    ratios,
    variants: variants.map((variant) => ({
      name: variant.name,
      rows: variant.rows,
      result_hash: variant.resultHash,
      ours: variant.ours,
      rivals: variant.rivals,
      ratios: variant.ratios,
    })),
    run: { ...where, size: size.name, pairs: size.pairs, sample_bytes: size.sampleBytes, inputs },
  };
}

/** The same for people. */
export function reportLines(subject: Subject, run: SubjectRun, size: Size, where: Circumstances): string[] {
  const versions = Object.entries(where.versions).map(([name, version]) => `${name} ${version}`);
  return [
    `${subject.name}: ${subject.shows}`,
    `  machine  ${where.machine}, load ${where.load.toFixed(2)} before`,
    `  commit   ${where.commit ?? 'none'}; ${versions.join(', ')}`,
    `  size     ${size.name}: ${size.rows} rows, ${plural(size.pairs, 'pair')} of samples of at least ${(size.sampleBytes / 1e9).toFixed(2)} GB`,
    ...Object.entries(run.inputs).map(([table, hash]) => `  input    ${table}: sha256 ${hash}`),
    '',
    ...run.variants.flatMap(variantLines),
  ];
}

function variantLines(variant: VariantResult): string[] {
  const servers = Object.entries({ headrace: variant.ours, ...variant.rivals });
  return [
    `${variant.name}: ${variant.rows} rows a scan, ${plural(variant.scansPerStream, 'scan')} a stream, result ${variant.resultHash.slice(0, 16)}`,
    ...aligned([headings, ...servers.map(([name, figures]) => cells(name, figures, variant.paces[name]!))]),
    ...Object.keys(variant.rivals).map((name) => `  ours / ${name}: ${ratioText(variant.ratios, name)}`),
    '',
  ];
}

const headings = [
  '',
  'MB/s',
  'rows/s',
  'CPU s/GB',
  'client CPU s/GB',
  'RSS MB',
  'scan p50 ms',
  'p99 ms',
  'sample s',
  'sample MB',
];

function cells(name: string, figures: Figures, pace: Pace): string[] {
  const { mb_per_s, cpu_s_per_gb, client_cpu_s_per_gb, rss_mb, wall_s } = figures;
  return [
    name,
    mb_per_s.toFixed(1),
    pace.rowsPerS.toFixed(0),
    cpu_s_per_gb.toFixed(3),
    client_cpu_s_per_gb.toFixed(3),
    rss_mb.toFixed(0),
    pace.p50Ms.toFixed(1),
    pace.p99Ms.toFixed(1),
    wall_s.toFixed(2),
    (pace.sampleBytes / 1e6).toFixed(1),
  ];
}

const ratioText = (ratios: Readonly<Record<string, number>>, rival: string): string =>
  Object.entries(ratios)
    .filter(([name]) => name.endsWith(`_vs_${rival}`))
    .map(([name, ratio]) => `${name.slice(0, -`_vs_${rival}`.length)} ${ratio.toFixed(2)}`)
    .join(', ');

function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) => {
    const line = row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)));
    return `  ${line.join('  ')}`;
  });
}

const plural = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;
