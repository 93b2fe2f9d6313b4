import { type FileColumns, fileAt } from '../catalog/manifest/columns.ts';
import type { RowGroupRun, ScanFile } from './row-groups.ts';
import type { Sequence } from './sequence.ts';

/** Some of the files of one manifest. */
export interface FileSegment {
  readonly columns: FileColumns;
  /** Places in the columns, ascending; null = `count` places from `from` on. */
  readonly picked: Uint32Array | null;
  /** Where in `picked`, or in the columns, the segment begins. */
  readonly from: number;
  readonly count: number;
}

/** Files of a plan as plain data: columns, which are cloned to another thread by copying bytes, or objects where they are few. */
export type PackedFiles =
  | { readonly kind: 'objects'; readonly files: readonly ScanFile[] }
  | { readonly kind: 'columns'; readonly segments: readonly FileSegment[] };

// A file as an object with its path takes about as much as four in columns.
const objectShare = 4;
const objectsMax = 1_000;

/** Files in the order of their manifests, made into objects when they are asked for. */
export class FileList implements Sequence<ScanFile> {
  readonly length: number;
  readonly segments: readonly FileSegment[];
  /** Files in the segments before each. */
  readonly #starts: Uint32Array;

  constructor(segments: readonly FileSegment[]) {
    this.segments = segments.filter(({ count }) => count > 0);
    this.#starts = new Uint32Array(this.segments.length);
    let length = 0;
    for (const [at, { count }] of this.segments.entries()) {
      this.#starts[at] = length;
      length += count;
    }
    this.length = length;
  }

  at(index: number): ScanFile | undefined {
    if (index < 0 || index >= this.length) return undefined;
    const { segment, within } = this.find(index);
    const segmentOf = this.segments[segment]!;
    return fileAt(segmentOf.columns, placeOf(segmentOf, within));
  }

  /** The segment that a file lies in, and which of its files it is. */
  find(index: number): { readonly segment: number; readonly within: number } {
    let [low, high] = [0, this.#starts.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#starts[middle]! <= index) low = middle;
      else high = middle - 1;
    }
    return { segment: low, within: index - this.#starts[low]! };
  }

  slice(start = 0, end = this.length): ScanFile[] {
    return Array.from(new FileList(this.#part(start, end)));
  }

  *[Symbol.iterator](): Generator<ScanFile> {
    for (const segment of this.segments) {
      for (let at = 0; at < segment.count; at++) yield fileAt(segment.columns, placeOf(segment, at));
    }
  }

  /** Files [start, end) in the smaller of the two forms. */
  pack(start: number, end: number): PackedFiles {
    const segments = this.#part(start, end);
    const files = segments.reduce((sum, { count }) => sum + count, 0);
    const inColumns = segments.reduce((sum, { columns }) => sum + columns.pathEnds.length, 0);
    if (files <= objectsMax || files * objectShare < inColumns) {
      return { kind: 'objects', files: Array.from(new FileList(segments)) };
    }
    // Cloning a view takes all of its buffer along.
    const cut = segments.map((segment) => ({
      ...segment,
      picked: segment.picked?.slice(segment.from, segment.from + segment.count) ?? null,
      from: segment.picked === null ? segment.from : 0,
    }));
    return { kind: 'columns', segments: cut };
  }

  #part(start: number, end: number): FileSegment[] {
    return this.segments.flatMap((segment, at) => {
      const before = this.#starts[at]!;
      const first = Math.max(0, start - before);
      const last = Math.min(segment.count, end - before);
      return first < last ? [{ ...segment, from: segment.from + first, count: last - first }] : [];
    });
  }
}

/** The place in its columns of a segment's file. */
export const placeOf = ({ picked, from }: FileSegment, at: number): number =>
  picked === null ? from + at : picked[from + at]!;

export const unpackFiles = (packed: PackedFiles): Sequence<ScanFile> =>
  packed.kind === 'objects' ? packed.files : new FileList(packed.segments);

/** Each file read whole, one run for each. */
export class WholeFiles implements Sequence<RowGroupRun> {
  readonly #files: FileList;

  constructor(files: FileList) {
    this.#files = files;
  }

  get length(): number {
    return this.#files.length;
  }

  at(index: number): RowGroupRun | undefined {
    if (index < 0 || index >= this.length) return undefined;
    const { segment, within } = this.#files.find(index);
    return runOf(this.#files.segments[segment]!, within, index);
  }

  slice(start = 0, end = this.length): RowGroupRun[] {
    const last = Math.min(end, this.length);
    return Array.from({ length: Math.max(0, last - start) }, (_, at) => this.at(start + at)!);
  }

  *[Symbol.iterator](): Generator<RowGroupRun> {
    let file = 0;
    for (const segment of this.#files.segments) {
      for (let at = 0; at < segment.count; at++) yield runOf(segment, at, file++);
    }
  }
}

function runOf(segment: FileSegment, within: number, file: number): RowGroupRun {
  const place = placeOf(segment, within);
  const { rows, bytes } = segment.columns;
  return { file, rowGroup: null, startRow: 0, rows: rows[place]!, bytes: bytes[place]! };
}
