import type { Principal } from '../../core/access.ts';
import { FileList, type PackedFiles, unpackFiles, WholeFiles } from '../../scan/file-list.ts';
import type { ScanPlan, ScanWork } from '../../scan/plan.ts';
import type { MaskKeys } from '../../scan/restrict/masks.ts';
import type { RowGroupRun } from '../../scan/row-groups.ts';
import { isBefore, type Position, type ShardRange } from '../../scan/shards.ts';
import type { Cursor, StreamForm, Ticket } from './tickets.ts';

/** Where a stream begins: at its ticket's start, at a sealed cursor, or after so many rows. */
export type Resume =
  | { readonly kind: 'cursor'; readonly cursor: string }
  | { readonly kind: 'offset'; readonly rows: number };

/** The part of a plan that a stream sends, as plain data. */
export interface StreamWork extends Omit<ScanWork, 'files' | 'runs'> {
  /** Those of the range alone. */
  readonly files: PackedFiles;
  /** Files count from the first of {@link files}; null = each of them whole. */
  readonly runs: readonly RowGroupRun[] | null;
}

/** What a stream's work is once it has arrived where it is run. */
export function scanWorkOf(work: StreamWork): ScanWork {
  const files = unpackFiles(work.files);
  return { ...work, files, runs: work.runs ?? (files instanceof FileList ? new WholeFiles(files) : []) };
}

/**
 * A stream decided: all that sending it takes, and nothing of the table that it does not send. Plain data, so that whichever thread has the
 * reader's connection runs it; see {@link ../streams/run-read.ts}.
 */
export interface StreamSpec {
  readonly work: StreamWork;
  /** What is left to send; files count from the work's first. */
  readonly range: ShardRange;
  /** Which file of the plan the work's first one is: cursors count the plan's. */
  readonly firstFile: number;
  readonly form: StreamForm;
  readonly maskKeys: MaskKeys;
  /** Rows of the ticket's stream that were sent, or are dropped, before the range. */
  readonly sentRows: number;
  /** Rows at the range's start that are read and not sent. */
  readonly dropRows: number;
  /** Rows that may still be read; null = all. */
  readonly rowsLeft: number | null;
  /** What each of the stream's cursors says besides its place. */
  readonly cursor: Pick<Cursor, 'ticket' | 'policyDigest'> & { readonly principal: string };
}

/** Where a ticket's stream begins or goes on. */
export interface StreamStart {
  readonly position: Position;
  /** Rows before it that were sent. */
  readonly rows: number;
  /** Rows behind it that are not to be sent again. */
  readonly dropRows: number;
}

/** The part of a plan that one ticket's stream sends. */
export function specOf(
  ticket: Ticket,
  plan: ScanPlan,
  start: StreamStart,
  principal: Pick<Principal, 'name'>,
  maskKeys: MaskKeys,
): StreamSpec {
  const { end } = ticket.range;
  const first = Math.min(start.position.file, plan.files.length);
  const last = Math.min(plan.files.length, end.row === 0 ? end.file : end.file + 1);
  const files = packed(plan, first, last);
  const { nameMapping, schemas, rowFilter, clientFilter, pruneFilter, access, limit } = plan;
  const from = ({ file, row }: Position): Position => ({ file: file - first, row });
  return {
    work: {
      nameMapping,
      schemas,
      rowFilter,
      clientFilter,
      pruneFilter,
      access: { columns: access.columns, restricted: access.restricted },
      files,
      runs: files.kind === 'columns' ? null : runsFrom(plan, first, end),
    },
    range: { start: from(start.position), end: from(end) },
    firstFile: first,
    form: ticket.form,
    maskKeys,
    sentRows: start.rows,
    dropRows: start.dropRows,
    rowsLeft: limit === null ? null : Math.max(0, limit - start.rows + start.dropRows),
    cursor: { ticket: ticket.id, policyDigest: ticket.policyDigest, principal: principal.name },
  };
}

const packed = ({ files }: ScanPlan, first: number, last: number): PackedFiles =>
  files instanceof FileList ? files.pack(first, last) : { kind: 'objects', files: files.slice(first, last) };

/** The runs from a file to a position, counted from that file. */
function runsFrom(plan: ScanPlan, first: number, end: Position): RowGroupRun[] {
  const runs = plan.runs.slice(firstRunFrom(plan, { file: first, row: 0 }), firstRunFrom(plan, end));
  return runs.map((run) => ({ ...run, file: run.file - first }));
}

/** The first run that does not begin before a position, by bisection: a plan may have a million and many tickets. */
function firstRunFrom({ runs }: ScanPlan, position: Position): number {
  let [low, high] = [0, runs.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const { file, startRow } = runs.at(middle)!;
    if (isBefore({ file, row: startRow }, position)) low = middle + 1;
    else high = middle;
  }
  return low;
}
