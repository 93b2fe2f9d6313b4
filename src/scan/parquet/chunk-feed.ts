import { ServiceError } from '../../core/errors.ts';
import type { ByteRange } from '../../storage/object-store.ts';
import type { LeafSource } from './decode-leaf.ts';
import type { ColumnChunk } from './metadata.ts';
import type { PagePlace } from './page-index.ts';
import { scanPage } from './page-scan.ts';
import { hull, meets, type RowSet } from './row-set.ts';
import type { ParquetLeaf } from './schema.ts';

/** Below so many bytes the rest of a chunk is fetched rather than left for another read; no read of a part is smaller. */
const blockBytesMin = 64 * 1024;
/** Pages differ in size: a part that is to hold some rows is taken this much larger than their share. */
const blockSlack = 1.1;

const corrupt = (problem: string): ServiceError =>
  new ServiceError('CORRUPT_FILE', `a Parquet column chunk is damaged: ${problem}`);

/** The pages of a chunk that hold some rows, as a decoder takes them. */
export interface FedPages {
  /** Its rows are counted within these pages alone: from 0, through pages that need not be neighbours. */
  readonly source: LeafSource;
  readonly places: readonly PagePlace[];
}

/**
 * The bytes of one column chunk, fetched as rows are wanted: exactly the pages that hold them where the offset index is known, else
 * the chunk's beginning up to them, whose page headers then tell what it holds. Stretches of rows that ascend fetch each byte once.
 */
export class ChunkFeed {
  readonly leaf: ParquetLeaf;
  readonly chunk: ColumnChunk;
  readonly #groupRows: number;
  readonly #pageBytesMax: number;
  /** Data pages that are known, from row 0 on. A place may be several pages, where a row goes on from one to the next. */
  #places: PagePlace[] = [];
  #placesArePages = true;
  #isKnownWhole = false;
  #dictionaryRange: ByteRange | null = null;
  #dictionary: Uint8Array | null = null;
  readonly #held = new Map<PagePlace, Uint8Array>();
  /** Bytes that were fetched and not yet understood, and where in the file they begin. */
  #tail: Uint8Array = new Uint8Array(0);
  #tailStart: number;
  /** Where the page ends that the tail begins with, as far as its header tells. */
  #tailNeeds = 0;
  #open: { start: number; end: number; startRow: number; rows: number } | null = null;
  #scannedRows = 0;

  constructor(leaf: ParquetLeaf, chunk: ColumnChunk, groupRows: number, pageBytesMax: number) {
    this.leaf = leaf;
    this.chunk = chunk;
    this.#groupRows = groupRows;
    this.#pageBytesMax = pageBytesMax;
    this.#tailStart = chunk.range.start;
  }

  get bytes(): number {
    return this.chunk.range.end - this.chunk.range.start;
  }

  /** Bytes that were fetched along and belong to later rows. */
  get tailBytes(): number {
    return this.#tail.length;
  }

  /** Nothing is known of where its pages lie. */
  get isFresh(): boolean {
    return !this.#isKnownWhole && this.#scannedRows === 0 && this.#tail.length === 0;
  }

  /** Takes the places of an offset index; before anything was fetched. */
  usePlaces(places: readonly PagePlace[]): void {
    const [first] = places;
    if (first === undefined || !this.isFresh) return;
    this.#places = [...places];
    this.#isKnownWhole = true;
    // A dictionary page is all that may lie before the first data page.
    const range = { start: this.chunk.range.start, end: first.range.start };
    this.#dictionaryRange = range.end > range.start ? range : null;
  }

  /** What is still to be fetched before `rows` are at hand: hand it to `accept`, and ask again. Empty = nothing. */
  missing(rows: RowSet): ByteRange[] {
    const { start, end } = hull(rows);
    if (this.isFresh && (end >= this.#groupRows || this.bytes <= blockBytesMin)) this.#takeWhole();
    const ranges: ByteRange[] = [];
    for (const place of this.#places) {
      if (place.endRow <= start) continue;
      if (place.startRow >= end) break;
      if (!this.#held.has(place) && meets(rows, place.startRow, place.endRow)) ranges.push(place.range);
    }
    const isBehind = !this.#isKnownWhole && this.#knownRows() < end;
    if (this.#dictionary === null && this.#dictionaryRange !== null && (ranges.length > 0 || isBehind)) {
      ranges.unshift(this.#dictionaryRange);
    }
    if (isBehind) ranges.push(this.#nextBlock(end));
    return ranges;
  }

  /** A chunk that is fetched at once needs no looking into: its decoder finds its pages. */
  #takeWhole(): void {
    if (this.#places.length > 0 || this.#open !== null)
      throw corrupt('the levels of its pages differ in their encoding');
    this.#dictionary = null;
    this.#dictionaryRange = null;
    this.#placesArePages = false;
    this.#places = [{ range: this.chunk.range, startRow: 0, endRow: this.#groupRows }];
    this.#isKnownWhole = true;
  }

  #knownRows(): number {
    return this.#places[this.#places.length - 1]?.endRow ?? 0;
  }

  #nextBlock(endRow: number): ByteRange {
    const start = this.#tailStart + this.#tail.length;
    const left = this.chunk.range.end - start;
    if (left <= 0) throw corrupt(`its pages hold ${this.#scannedRows} of ${this.#groupRows} rows`);
    const rowsLeft = Math.max(1, this.#groupRows - this.#scannedRows);
    const share = Math.min(1, Math.max(0, endRow - this.#scannedRows) / rowsLeft);
    const bytes = Math.max(blockBytesMin, this.#tailNeeds - start, Math.ceil(left * share * blockSlack));
    return { start, end: left - bytes < blockBytesMin ? this.chunk.range.end : start + bytes };
  }

  /** Takes one of the ranges that `missing` gave. */
  accept(range: ByteRange, bytes: Uint8Array): void {
    if (range.end <= this.#tailStart || this.#isKnownWhole) {
      if (range === this.#dictionaryRange) this.#dictionary = bytes;
      else this.#held.set(this.#places.find((place) => place.range === range)!, bytes);
      return;
    }
    this.#tail = this.#tail.length === 0 ? bytes : Buffer.concat([this.#tail, bytes]);
    this.#scan(range.end === this.chunk.range.end);
  }

  #scan(last: boolean): void {
    const { leaf, chunk } = this;
    const bytes = this.#tail;
    const origin = this.#tailStart;
    let at = this.#open === null ? 0 : this.#open.end - origin;
    while (at < bytes.length) {
      const page = scanPage(bytes, at, last, leaf, chunk, this.#pageBytesMax);
      if (page === null || page.kind === 'cut') {
        this.#tailNeeds = page === null ? 0 : origin + page.end;
        break;
      }
      const range = { start: origin + page.start, end: origin + page.end };
      if (page.kind === 'dictionary') {
        this.#dictionaryRange = range;
        this.#dictionary = bytes.subarray(page.start, page.end);
      } else if (page.kind === 'data') {
        if (page.rows === null) {
          this.#takeWhole();
          return;
        }
        if (page.startsRow) {
          this.#close(bytes, origin);
          this.#open = { ...range, startRow: this.#scannedRows, rows: 0 };
        }
        if (this.#open === null) throw corrupt('its first page does not begin a row');
        if (!page.startsRow) this.#placesArePages = false;
        this.#open.end = range.end;
        this.#open.rows += page.rows;
        this.#scannedRows += page.rows;
        if (page.endsRow) this.#close(bytes, origin);
      }
      at = page.end;
    }
    if (last) {
      this.#close(bytes, origin);
      if (this.#scannedRows !== this.#groupRows) {
        throw corrupt(`its pages hold ${this.#scannedRows} rows where ${this.#groupRows} are declared`);
      }
      this.#isKnownWhole = true;
    }
    const kept = this.#open === null ? at : this.#open.start - origin;
    this.#tail = bytes.subarray(kept);
    this.#tailStart = origin + kept;
  }

  /** Ends the place that is being put together. */
  #close(bytes: Uint8Array, origin: number): void {
    if (this.#open === null) return;
    const { start, end, startRow, rows } = this.#open;
    const place = { range: { start, end }, startRow, endRow: startRow + rows };
    this.#places.push(place);
    this.#held.set(place, bytes.subarray(start - origin, end - origin));
    this.#open = null;
  }

  /** The pages that hold `rows`, all of which `missing` no longer names. */
  pages(rows: RowSet, batchRows: number): FedPages {
    const places = this.#places.filter((place) => meets(rows, place.startRow, place.endRow));
    const parts = places.map((place) => this.#held.get(place)!);
    const total = places.reduce((sum, place) => sum + place.endRow - place.startRow, 0);
    const { start, end } = hull(rows);
    const [first, last] = [places[0]!, places[places.length - 1]!];
    if (this.#dictionary !== null) parts.unshift(this.#dictionary);
    const source = {
      leaf: this.leaf,
      chunk: this.chunk,
      parts,
      held: { start: 0, end: total },
      pageRows: this.#placesArePages ? places.map((place) => place.endRow - place.startRow) : null,
      rows: { start: start - first.startRow, end: total - (last.endRow - end) },
      batchRows,
    };
    return { source, places };
  }

  /** Lets go of the pages that end before `row`. What is kept is copied out of a buffer that is much larger. */
  release(row: number): void {
    for (const [place, bytes] of this.#held) {
      if (place.endRow <= row) this.#held.delete(place);
      else if (bytes.byteLength * 2 < bytes.buffer.byteLength) this.#held.set(place, bytes.slice());
    }
    if (this.#knownRows() <= row && this.#isKnownWhole) this.#dictionary = null;
    else if (this.#dictionary !== null && this.#dictionary.byteLength * 2 < this.#dictionary.buffer.byteLength) {
      this.#dictionary = this.#dictionary.slice();
    }
  }
}
