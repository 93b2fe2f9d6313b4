import type { Bar } from './bars.ts';
import type { Codec } from './inputs.ts';
import type { VariantResult } from './interleave.ts';
import type { Size } from './size.ts';

export interface RunOptions {
  readonly size: Size;
  /** Folder for CPU profiles of our server; absent = none. */
  readonly profiles?: string | undefined;
  /** Whether a rival takes part. */
  readonly wants: (rival: string) => boolean;
  readonly codecs: readonly Codec[];
  /** Told what is being measured. */
  readonly progress: (line: string) => void;
}

export interface SubjectRun {
  /** The first one is what the report's top level shows. */
  readonly variants: readonly VariantResult[];
  /** SHA-256 of each input file, by table. */
  readonly inputs: Readonly<Record<string, string>>;
}

/** One thing that is measured. Each has a file of its own under `subjects/`. */
export interface Subject {
  readonly name: string;
  /** What it shows, in a sentence. */
  readonly shows: string;
  readonly bars: readonly Bar[];
  run(options: RunOptions): Promise<SubjectRun>;
}
