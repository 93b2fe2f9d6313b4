/** What a long command shows on standard error while it works; nothing where that is not a terminal. */
export interface Progress {
  update(state: { readonly done: number; readonly total: number; readonly rows: number }): void;
  /** Clears the line. */
  end(): void;
}

export interface ProgressOutput {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const redrawMs = 100;
const barCells = 24;

export function openProgress(
  label: string,
  output: ProgressOutput = process.stderr,
  now: () => number = Date.now,
): Progress {
  if (output.isTTY !== true) return { update: () => {}, end: () => {} };
  const startedMs = now();
  let drawnMs = Number.NEGATIVE_INFINITY;
  return {
    update({ done, total, rows }) {
      if (now() - drawnMs < redrawMs) return;
      drawnMs = now();
      const seconds = Math.max((drawnMs - startedMs) / 1000, 0.001);
      output.write(
        `\r\x1b[2K${progressLine(label, { done, total, rows, seconds }).slice(0, (output.columns ?? 80) - 1)}`,
      );
    },
    end: () => output.write('\r\x1b[2K'),
  };
}

interface Measured {
  readonly done: number;
  readonly total: number;
  readonly rows: number;
  readonly seconds: number;
}

/** `importing [######------] 50 %  1,234,567 rows  81 MB/s` */
export function progressLine(label: string, { done, total, rows, seconds }: Measured): string {
  const part = total === 0 ? 1 : Math.min(1, done / total);
  const filled = Math.round(part * barCells);
  const bar = '#'.repeat(filled) + '-'.repeat(barCells - filled);
  const speed = (done / 1e6 / seconds).toFixed(0);
  return `${label} [${bar}] ${Math.floor(part * 100)} %  ${rows.toLocaleString('en')} rows  ${speed} MB/s`;
}
