import type { PackedColumn } from './column-layout.ts';

/**
 * What threads that read and the thread that keeps say to each other. A stretch of rows is opened with one question for all its columns,
 * and closed when it has been read or is not wanted any more; what a question is told of and waits for comes by the number of its opening.
 */
export type CacheQuestion =
  | OpenQuestion
  | { readonly op: 'put'; readonly opening: number; readonly key: string; readonly packed: PackedColumn }
  /** The value will not be put: somebody else may make it. */
  | { readonly op: 'release'; readonly opening: number; readonly key: string }
  | { readonly op: 'close'; readonly opening: number }
  | { readonly op: 'collected'; readonly round: number };

export interface OpenQuestion {
  readonly op: 'open';
  readonly opening: number;
  /** The columns' chunks, one a line, and five numbers of each: an array of objects would take seven times as long to be cloned. */
  readonly chunks: string;
  readonly numbers: Float64Array;
  readonly purpose: OpenPurpose;
}

export function openQuestion(opening: number, columns: readonly WantedColumn[], purpose: OpenPurpose): OpenQuestion {
  const numbers = columns.flatMap(({ first, end, wholeFirst, wholeEnd, segmentBytes }) => [
    first,
    end,
    wholeFirst,
    wholeEnd,
    segmentBytes,
  ]);
  const chunks = columns.map(({ chunk }) => chunk).join('\n');
  return { op: 'open', opening, chunks, numbers: Float64Array.from(numbers), purpose };
}

export function readColumns({ chunks, numbers }: OpenQuestion): WantedColumn[] {
  return chunks.split('\n').map((chunk, at) => {
    const [first, end, wholeFirst, wholeEnd, segmentBytes] = numbers.subarray(at * 5, at * 5 + 5);
    return {
      chunk,
      first: first!,
      end: end!,
      wholeFirst: wholeFirst!,
      wholeEnd: wholeEnd!,
      segmentBytes: segmentBytes!,
    };
  });
}

/**
 * `look`: which segments are there, before the bytes of the others are fetched; nobody is waited for. `make`: what is missing is decoded as
 * soon as this is answered, whole. `hurry`: the same, where others were waited for in vain.
 */
export type OpenPurpose = 'look' | 'make' | 'hurry';

/** Segments [first, end) of a column of a row group; those within [wholeFirst, wholeEnd) will be decoded whole where they are missing. */
export interface WantedColumn {
  /** File, row group and column. */
  readonly chunk: string;
  readonly first: number;
  readonly end: number;
  readonly wholeFirst: number;
  readonly wholeEnd: number;
  /** About how many bytes a segment has. */
  readonly segmentBytes: number;
}

/** What becomes of each segment that was asked for. */
export const segmentStates = {
  /** Not kept, and not to be put. */
  none: 0,
  /** Comes with the answer. */
  held: 1,
  /** The asker decodes it whole and puts it. */
  lease: 2,
  /** Another stream decodes it: it comes as `ready`, or the wait ends with `lapsed`. */
  wait: 3,
} as const;

export type CacheAnswer =
  /** A state for each segment, column by column, and the columns that are held in the same order. */
  | {
      readonly op: 'opened';
      readonly opening: number;
      readonly states: Uint8Array;
      readonly held: readonly PackedColumn[];
      /** How long leases and waits last. */
      readonly leaseMs: number;
    }
  | { readonly op: 'ready'; readonly opening: number; readonly key: string; readonly packed: PackedColumn }
  | { readonly op: 'lapsed'; readonly opening: number; readonly key: string }
  /** Memory was let go of: collect garbage, and say so. */
  | { readonly op: 'collect'; readonly round: number };

export const segmentKey = (chunk: string, segment: number): string => `${chunk}/${segment}`;

/** A thread's way to the cache. Messages arrive in the order in which they were posted. */
export interface CacheLink {
  post(question: CacheQuestion): void;
  /** Once: who hears the answers, and of the end of the other side. */
  listen(onAnswer: (answer: CacheAnswer) => void, onEnd: () => void): void;
  /** Whether an answer is waited for, which keeps the thread alive. */
  hold(isWaiting: boolean): void;
  close(): void;
}
