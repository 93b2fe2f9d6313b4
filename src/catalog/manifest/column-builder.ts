import { ServiceError } from '../../core/errors.ts';
import type { FieldId } from '../../core/ids.ts';
import type { Value } from '../schema/types.ts';
import type { Counts, ManifestColumns, MetricColumns, ReadColumns, Slices } from './columns.ts';

/** Bytes appended one run after another. */
export class ByteArena {
  bytes: Buffer = Buffer.allocUnsafeSlow(1 << 16);
  length = 0;
  readonly #bytesMax: number;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Appends bytes [start, end) of `from` and gives where they begin. */
  append(from: Buffer, start: number, end: number): number {
    const at = this.length;
    const next = at + end - start;
    if (next > this.bytes.length) this.#grow(next);
    // Buffer.copy costs about 60 ns a call, as much as 30 bytes take one by one.
    if (end - start <= 24) for (let to = at; start < end; ) this.bytes[to++] = from[start++]!;
    else from.copy(this.bytes, at, start, end);
    this.length = next;
    return at;
  }

  #grow(length: number): void {
    if (length > this.#bytesMax) {
      throw new ServiceError(
        'LIMIT_EXCEEDED',
        `the paths or bounds of one manifest take more than ${this.#bytesMax} bytes`,
      );
    }
    const grown = Buffer.allocUnsafeSlow(Math.min(this.#bytesMax, Math.max(length, 2 * this.bytes.length)));
    this.bytes.copy(grown, 0, 0, this.length);
    this.bytes = grown;
  }
}

/** Statistics of one field while they are read; a slot that nothing was written to says -1. */
export class MetricBuilder {
  valueCounts: Float64Array;
  nullCounts: Float64Array;
  nanCounts: Float64Array;
  lowerStarts: Uint32Array;
  lowerLengths: Int32Array;
  upperStarts: Uint32Array;
  upperLengths: Int32Array;

  constructor(capacity: number) {
    this.valueCounts = new Float64Array(capacity).fill(-1);
    this.nullCounts = new Float64Array(capacity).fill(-1);
    this.nanCounts = new Float64Array(capacity).fill(-1);
    this.lowerStarts = new Uint32Array(capacity);
    this.lowerLengths = new Int32Array(capacity).fill(-1);
    this.upperStarts = new Uint32Array(capacity);
    this.upperLengths = new Int32Array(capacity).fill(-1);
  }

  grow(capacity: number): void {
    this.valueCounts = grown(this.valueCounts, capacity, -1);
    this.nullCounts = grown(this.nullCounts, capacity, -1);
    this.nanCounts = grown(this.nanCounts, capacity, -1);
    this.lowerStarts = grown(this.lowerStarts, capacity, 0);
    this.lowerLengths = grown(this.lowerLengths, capacity, -1);
    this.upperStarts = grown(this.upperStarts, capacity, 0);
    this.upperLengths = grown(this.upperLengths, capacity, -1);
  }

  clear(at: number): void {
    for (const array of [this.valueCounts, this.nullCounts, this.nanCounts]) array[at] = -1;
    this.lowerLengths[at] = -1;
    this.upperLengths[at] = -1;
  }

  finish(files: number, bytes: Uint8Array): MetricColumns {
    const slices = (starts: Uint32Array, lengths: Int32Array): Slices => ({
      bytes,
      starts: starts.subarray(0, files),
      lengths: lengths.subarray(0, files),
    });
    return {
      valueCounts: this.valueCounts.subarray(0, files),
      nullCounts: this.nullCounts.subarray(0, files),
      nanCounts: this.nanCounts.subarray(0, files),
      lower: slices(this.lowerStarts, this.lowerLengths),
      upper: slices(this.upperStarts, this.upperLengths),
    };
  }
}

/** The columns of a manifest while it is read. Whoever reads an entry writes to {@link at}, then keeps or drops what it wrote. */
export class ColumnBuilder {
  /** The entry that is being read. */
  at = 0;
  rows: Float64Array;
  bytes: Float64Array;
  formats: Uint8Array;
  tupleOf: Float64Array;
  readonly tuples: (readonly (Value | null)[])[] = [];
  readonly metrics: ReadonlyMap<FieldId, MetricBuilder>;
  readonly bounds: ByteArena;
  readonly #paths: ByteArena;
  #pathEnds: Uint32Array;
  /** Bytes of the first path that all others begin with too. */
  #prefixLength = -1;

  constructor(wanted: Iterable<FieldId>, options: { readonly capacity: number; readonly bytesMax: number }) {
    const { capacity, bytesMax } = options;
    this.rows = new Float64Array(capacity);
    this.bytes = new Float64Array(capacity);
    this.formats = new Uint8Array(capacity);
    this.tupleOf = new Float64Array(capacity);
    this.#pathEnds = new Uint32Array(capacity);
    this.#paths = new ByteArena(bytesMax);
    this.bounds = new ByteArena(bytesMax);
    this.metrics = new Map([...wanted].map((id) => [id, new MetricBuilder(capacity)]));
  }

  path(from: Buffer, start: number, end: number): void {
    const { bytes } = this.#paths;
    if (this.#prefixLength < 0) this.#prefixLength = end - start;
    const length = Math.min(this.#prefixLength, end - start);
    let same = 0;
    if (this.at > 0) while (same < length && bytes[same] === from[start + same]) same++;
    else same = length;
    this.#prefixLength = same;
    this.#paths.append(from, start, end);
    this.#pathEnds[this.at] = this.#paths.length;
  }

  keep(): void {
    this.at++;
    if (this.at < this.rows.length) return;
    const capacity = 2 * this.at;
    this.rows = grown(this.rows, capacity, 0);
    this.bytes = grown(this.bytes, capacity, 0);
    this.formats = grown(this.formats, capacity, 0);
    this.tupleOf = grown(this.tupleOf, capacity, 0);
    this.#pathEnds = grown(this.#pathEnds, capacity, 0);
    for (const metric of this.metrics.values()) metric.grow(capacity);
  }

  drop(): void {
    const { at } = this;
    this.#paths.length = at === 0 ? 0 : this.#pathEnds[at - 1]!;
    if (at === 0) this.#prefixLength = -1;
    this.formats[at] = 0;
    for (const metric of this.metrics.values()) metric.clear(at);
  }

  finish(): ReadColumns {
    const files = this.at;
    const bounds = new Uint8Array(this.bounds.bytes.buffer, this.bounds.bytes.byteOffset, this.bounds.length);
    const metrics = new Map([...this.metrics].map(([id, metric]) => [id, metric.finish(files, bounds)]));
    const formats = this.formats.subarray(0, files);
    const columns: ManifestColumns = {
      files,
      ...this.#finishPaths(),
      formats: formats.some((format) => format !== 0) ? formats.slice() : null,
      rows: narrowed(this.rows.subarray(0, files)),
      bytes: narrowed(this.bytes.subarray(0, files)),
      tuples: this.tuples,
      tupleOf: narrowed(this.tupleOf.subarray(0, files)),
    };
    return { columns, metrics };
  }

  #finishPaths(): Pick<ManifestColumns, 'pathPrefix' | 'pathBytes' | 'pathEnds'> {
    const { bytes } = this.#paths;
    let prefix = Math.max(0, this.#prefixLength);
    // Never inside of a character.
    while (prefix > 0 && prefix < this.#paths.length && (bytes[prefix]! & 0xc0) === 0x80) prefix--;
    const pathEnds = new Uint32Array(this.at);
    const pathBytes = new Uint8Array(this.#paths.length - this.at * prefix);
    let [start, to] = [0, 0];
    for (let at = 0; at < this.at; at++) {
      const end = this.#pathEnds[at]!;
      bytes.copy(pathBytes, to, start + prefix, end);
      to += end - start - prefix;
      pathEnds[at] = to;
      start = end;
    }
    return { pathPrefix: bytes.toString('utf8', 0, prefix), pathBytes, pathEnds };
  }
}

function grown<Column extends Float64Array | Uint32Array | Int32Array | Uint8Array>(
  column: Column,
  capacity: number,
  empty: number,
): Column {
  const Type = column.constructor as new (length: number) => Column;
  const larger = new Type(capacity);
  larger.set(column);
  if (empty !== 0) larger.fill(empty, column.length);
  return larger;
}

/** A copy in the narrowest type; whole numbers of 0 and above. */
function narrowed(column: Float64Array): Counts {
  let most = 0;
  for (let at = 0; at < column.length; at++) if (column[at]! > most) most = column[at]!;
  if (most <= 0xff) return new Uint8Array(column);
  if (most <= 0xffff) return new Uint16Array(column);
  return most <= 0xffff_ffff ? new Uint32Array(column) : column.slice();
}
