/**
 * Writes the figures of docs/performance.md from what `run.ts --json` measured, so that none is typed by hand: everything between the
 * two marks of the page is replaced.
 * usage: node bench/write-doc.ts RESULTS.json… [--page docs/performance.md]
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { repository } from './child.ts';
import { numberText, type Report } from './report.ts';

const begin = '<!-- figures: written by bench/write-doc.ts -->';
const end = '<!-- end of figures -->';

/** The page with its figures replaced. Throws where the page has no place for them. */
export function withFigures(page: string, reports: readonly Report[]): string {
  const [start, stop] = [page.indexOf(begin), page.indexOf(end)];
  if (start < 0 || stop < start) throw new Error(`the page has no lines ${begin} and ${end}`);
  return `${page.slice(0, start)}${begin}\n\n${figureLines(reports).join('\n')}\n${page.slice(stop)}`;
}

function figureLines(reports: readonly Report[]): string[] {
  const bars = reports.flatMap(({ bars: all }) => all);
  const count = (result: string): number => bars.filter((bar) => bar.result === result).length;
  return [
    `Of ${bars.length} bars ${count('reached')} are reached, ${count('loosened')} are missed by less than half, ${count('missed')} by more.`,
    '',
    ...reports.flatMap(subjectLines),
  ];
}

function subjectLines({ subject, shows, variants, bars, run }: Report): string[] {
  return [
    `### ${subject}`,
    '',
    `${capital(shows)}. ${capital(run.size)} size, ${run.pairs} ${run.pairs === 1 ? 'pair' : 'pairs'} of samples of ${numberText(run.sample_bytes / 1e9)} GB;`,
    `commit ${run.commit ?? 'unknown'}; ${run.machine}; load ${run.load.toFixed(1)} before.`,
    '',
    ...variants.flatMap(variantTable),
    ...table(
      ['bar', 'variant', 'measured', 'asked', 'result'],
      bars.map(({ measure, variant, measured, op, bar, result }) => [
        `\`${measure}\``,
        variant,
        numberText(measured),
        `${op === '<=' ? '≤' : '≥'} ${numberText(bar)}`,
        { reached: 'reached', loosened: 'within half', missed: '**missed**' }[result],
      ]),
    ),
  ];
}

/** What is worth a column, where a contender has it. */
const shown: readonly (readonly [string, string])[] = [
  ['mb_per_s', 'MB/s'],
  ['cpu_s_per_gb', 'server CPU-s/GB'],
  ['client_cpu_s_per_gb', 'client CPU-s/GB'],
  ['p50_ms', 'p50 ms'],
  ['p99_ms', 'p99 ms'],
  ['cpu_ms', 'CPU ms'],
  ['rss_mb', 'RSS MB'],
  ['rss_outside_cache_mb', 'outside the cache'],
  ['file_mb_per_put', 'file MB'],
  ['read_per_minimum', 'read / minimum'],
  ['wire_per_file_bytes', 'wire / file'],
  ['row_groups_read_again', 'row groups read again'],
  ['growth_per_linear', 'growth / linear'],
];

function variantTable({ name, ours, rivals }: Report['variants'][number]): string[] {
  const contenders = Object.entries({ headrace: ours, ...rivals });
  const columns = shown.filter(([key]) => contenders.some(([, figures]) => (figures[key] ?? 0) !== 0));
  const cell = (key: string, value: number | undefined, isOurs: boolean): string => {
    if (value === undefined) return '';
    const ratio = isOurs || ours[key] === undefined || value === 0 ? '' : ` (${(ours[key] / value).toFixed(2)})`;
    return `${numberText(value)}${ratio}`;
  };
  const rows = contenders.map(([contender, figures]) => [
    contender,
    ...columns.map(([key]) => cell(key, figures[key], figures === ours)),
  ]);
  return table([name, ...columns.map(([, heading]) => heading)], rows);
}

function table(headings: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return rows.length === 0 ? [] : [line(headings), line(headings.map(() => '---')), ...rows.map(line), ''];
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { page: { type: 'string', default: join(repository, 'docs/performance.md') } },
  });
  const parsed = await Promise.all(
    positionals.map(async (file) => JSON.parse(await readFile(file, 'utf8')) as Report | readonly Report[]),
  );
  await writeFile(values.page, withFigures(await readFile(values.page, 'utf8'), parsed.flat()));
}

if (import.meta.main) await main();
