import { type ColumnarFile, fileAt } from '../../catalog/manifest/columns.ts';
import type { BoundFilter } from '../filter/bound.ts';
import type { RowGroupRun } from '../row-groups.ts';
import type { Sequence } from '../sequence.ts';
import { type LoadedManifest, memoryOfManifest, rangesOf } from './loaded-manifest.ts';
import { rangeMustMatch } from './range.ts';
import { rangeAt } from './range-columns.ts';

/** The files of one manifest that a plan takes. */
export interface FileSegment {
  readonly manifest: LoadedManifest;
  /** Places in the manifest's columns, ascending; null = all of them. */
  readonly picked: Uint32Array | null;
}

const lengthOf = ({ manifest, picked }: FileSegment): number => picked?.length ?? manifest.columns.files;

/** The files of a plan, in the order of its manifests, made into objects when they are asked for. */
export class PlannedFiles implements Sequence<ColumnarFile> {
  readonly length: number;
  readonly #segments: readonly FileSegment[];
  /** Files in the segments before each. */
  readonly #starts: Uint32Array;

  constructor(segments: readonly FileSegment[]) {
    this.#segments = segments.filter((segment) => lengthOf(segment) > 0);
    this.#starts = new Uint32Array(this.#segments.length);
    let length = 0;
    for (const [at, segment] of this.#segments.entries()) {
      this.#starts[at] = length;
      length += lengthOf(segment);
    }
    this.length = length;
  }

  at(index: number): ColumnarFile | undefined {
    if (index < 0 || index >= this.length) return undefined;
    const { segment, at } = this.#find(index);
    return fileAt(segment.manifest.columns, at);
  }

  slice(start = 0, end = this.length): ColumnarFile[] {
    const files: ColumnarFile[] = [];
    for (const file of this.#walk(start, end)) files.push(file);
    return files;
  }

  [Symbol.iterator](): Iterator<ColumnarFile> {
    return this.#walk(0, this.length);
  }

  /** Whether statistics show that every row of a file passes the filter that the files were planned with. */
  mustMatch(index: number, filter: BoundFilter): boolean {
    const { segment, at } = this.#find(index);
    return rangeMustMatch(filter, (field) => rangeAt(rangesOf(segment.manifest.ranges, field), at));
  }

  /**
   * The same files for a plan to keep: objects where few of their manifests' files were taken, so that the rest need not be kept with
   * them.
   */
  kept(): Sequence<ColumnarFile> {
    const columns = this.#segments.reduce((sum, { manifest }) => sum + manifest.columns.files, 0);
    if (this.length * keptShare < columns) return this.slice();
    return new PlannedFiles(
      this.#segments.map(({ manifest, picked }) => ({ manifest: { ...manifest, ranges: new Map() }, picked })),
    );
  }

  /** Rows and bytes of each file as the run that reads it whole. */
  runs(): FileRuns {
    const rows = new Float64Array(this.length);
    const bytes = new Float64Array(this.length);
    let to = 0;
    for (const { manifest, picked } of this.#segments) {
      const { columns } = manifest;
      const count = picked?.length ?? columns.files;
      for (let at = 0; at < count; at++, to++) {
        const from = picked === null ? at : picked[at]!;
        rows[to] = columns.rows[from]!;
        bytes[to] = columns.bytes[from]!;
      }
    }
    return new FileRuns(rows, bytes);
  }

  /** About what the files take in memory, the columns of manifests that they lie in included. */
  get memory(): number {
    return this.#segments.reduce(
      (sum, { manifest, picked }) => sum + memoryOfManifest(manifest) + (picked?.byteLength ?? 0),
      0,
    );
  }

  #find(index: number): { readonly segment: FileSegment; readonly at: number } {
    let [low, high] = [0, this.#starts.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#starts[middle]! <= index) low = middle;
      else high = middle - 1;
    }
    const segment = this.#segments[low]!;
    const within = index - this.#starts[low]!;
    return { segment, at: segment.picked?.[within] ?? within };
  }

  *#walk(start: number, end: number): Generator<ColumnarFile> {
    for (const [at, segment] of this.#segments.entries()) {
      const first = this.#starts[at]!;
      const last = Math.min(lengthOf(segment), end - first);
      for (let within = Math.max(0, start - first); within < last; within++) {
        yield fileAt(segment.manifest.columns, segment.picked?.[within] ?? within);
      }
    }
  }
}

// An object with its path takes about as much as four files in columns.
const keptShare = 4;

/** One run for each file, read whole. */
export class FileRuns implements Sequence<RowGroupRun> {
  readonly #rows: Float64Array;
  readonly #bytes: Float64Array;

  constructor(rows: Float64Array, bytes: Float64Array) {
    this.#rows = rows;
    this.#bytes = bytes;
  }

  get length(): number {
    return this.#rows.length;
  }

  get memory(): number {
    return this.#rows.byteLength + this.#bytes.byteLength;
  }

  at(file: number): RowGroupRun | undefined {
    const rows = this.#rows[file];
    return rows === undefined ? undefined : { file, rowGroup: null, startRow: 0, rows, bytes: this.#bytes[file]! };
  }

  slice(start = 0, end = this.length): RowGroupRun[] {
    const last = Math.min(end, this.length);
    return Array.from({ length: Math.max(0, last - start) }, (_, at) => this.at(start + at)!);
  }

  *[Symbol.iterator](): Iterator<RowGroupRun> {
    for (let file = 0; file < this.length; file++) yield this.at(file)!;
  }
}
