import { memoryOfColumns } from '../../catalog/manifest/columns.ts';
import { FileList, type FileSegment } from '../file-list.ts';
import type { BoundFilter } from '../filter/bound.ts';
import type { ScanFile } from '../row-groups.ts';
import type { Sequence } from '../sequence.ts';
import { type LoadedManifest, rangesOf } from './loaded-manifest.ts';
import { rangeMustMatch } from './range.ts';
import { rangeAt } from './range-columns.ts';

/** The files of one manifest that a plan takes: at places in its columns, ascending; null = all of them. */
export interface PickedFiles {
  readonly manifest: LoadedManifest;
  readonly picked: Uint32Array | null;
}

/** The files that a plan takes, in the order of its manifests, with the statistics that it took them by. */
export class PlannedFiles extends FileList {
  readonly #manifests: readonly LoadedManifest[];

  constructor(picked: readonly PickedFiles[]) {
    const taken = picked.filter(({ picked: places, manifest }) => (places?.length ?? manifest.columns.files) > 0);
    super(
      taken.map(({ manifest: { columns }, picked: places }): FileSegment => {
        return { columns, picked: places, from: 0, count: places?.length ?? columns.files };
      }),
    );
    this.#manifests = taken.map(({ manifest }) => manifest);
  }

  /** Whether statistics show that every row of a file passes the filter that the files were planned with. */
  mustMatch(index: number, filter: BoundFilter): boolean {
    const { segment, within } = this.find(index);
    const place = this.segments[segment]!.picked?.[within] ?? within;
    return rangeMustMatch(filter, (field) => rangeAt(rangesOf(this.#manifests[segment]!.ranges, field), place));
  }

  /**
   * The same files for a plan to keep, without statistics, and about what they take in memory: all columns of the manifests that they
   * lie in, or nothing of these where few of their files were taken.
   */
  kept(): { readonly files: Sequence<ScanFile>; readonly memory: number } {
    const packed = this.pack(0, this.length);
    if (packed.kind === 'objects') return { files: packed.files, memory: packed.files.length * objectBytes };
    const memory = this.#manifests.reduce((sum, { columns }) => sum + memoryOfColumns(columns), 0);
    const picked = packed.segments.reduce((sum, segment) => sum + (segment.picked?.byteLength ?? 0), 0);
    return { files: new FileList(packed.segments), memory: memory + picked };
  }
}

/** A file as an object, its path included. */
export const objectBytes = 384;
