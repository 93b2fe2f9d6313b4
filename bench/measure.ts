import { type Content, hashContent, type Sample, takeSample } from './client.ts';
import type { BenchRequest, Contender } from './contender.ts';
import { type Figures, figuresOf, type Pace, paceOf, ratiosTo } from './figures.ts';
import type { Size } from './size.ts';

/** One way in which a subject is measured. */
export interface Variant {
  readonly name: string;
  readonly request: BenchRequest;
  readonly warm: BenchRequest;
  readonly streams: number;
  /**
   * What a sample's bytes are counted by: what clients receive, or, where a filter drops nearly all of it, the Arrow bytes of the
   * tables that are scanned. The figures are per GB received in both cases.
   */
  readonly sampledBy: 'received' | 'scanned';
  readonly scannedBytes: number;
}

export interface VariantResult {
  readonly name: string;
  readonly ours: Figures;
  readonly rivals: Readonly<Record<string, Figures>>;
  readonly ratios: Readonly<Record<string, number>>;
  readonly paces: Readonly<Record<string, Pace>>;
  /** Rows of one scan, and the hash of their content, the same from every server. */
  readonly rows: number;
  readonly resultHash: string;
  readonly scansPerStream: number;
}

/**
 * Checks that all servers give the same rows, then samples them in turn (ours, theirs, ours, theirs …), so that what else the machine
 * does falls on all alike. Throws when contents differ.
 */
export async function measureVariant(
  variant: Variant,
  ours: Contender,
  rivals: readonly Contender[],
  size: Size,
): Promise<VariantResult> {
  const contenders = [ours, ...rivals];
  const content = await agreedContent(variant, contenders);
  const scanBytes = variant.sampledBy === 'received' ? content.bytes : variant.scannedBytes;
  const scans = Math.max(1, Math.ceil(size.sampleBytes / (scanBytes * variant.streams)));
  const { request, warm, streams } = variant;
  const samples = new Map<Contender, Sample[]>(contenders.map((contender) => [contender, []]));
  for (let pair = 0; pair < size.pairs; pair++) {
    for (const contender of contenders) {
      const sample = await takeSample(contender, { request, warm, warmScans: size.warmScans, streams, scans });
      if (sample.rows !== content.rows * scans * streams) throw new Error(`${contender.name} sent ${sample.rows} rows`);
      samples.get(contender)!.push(sample);
    }
  }
  const figures = (contender: Contender): Figures => figuresOf(samples.get(contender)!, streams);
  const rivalFigures = Object.fromEntries(rivals.map((rival) => [rival.name, figures(rival)]));
  return {
    name: variant.name,
    ours: figures(ours),
    rivals: rivalFigures,
    ratios: ratiosTo(figures(ours), rivalFigures),
    paces: Object.fromEntries(contenders.map((contender) => [contender.name, paceOf(samples.get(contender)!)])),
    rows: content.rows,
    resultHash: content.hash,
    scansPerStream: scans,
  };
}

async function agreedContent({ name, request }: Variant, contenders: readonly Contender[]): Promise<Content> {
  const contents: Content[] = [];
  for (const contender of contenders) contents.push(await hashContent(contender, request));
  const [first] = contents;
  contents.forEach((content, at) => {
    if (content.hash === first!.hash) return;
    const says = (which: number): string =>
      `${contenders[which]!.name}: ${contents[which]!.rows} rows, ${contents[which]!.hash}`;
    throw new Error(`${name}: the servers do not give the same rows (${says(0)}; ${says(at)})`);
  });
  return first!;
}
