import type { Client, Content, Sample } from './client.ts';
import type { BenchRequest } from './contender.ts';
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
  ours: Client,
  rivals: readonly Client[],
  size: Size,
): Promise<VariantResult> {
  const clients = [ours, ...rivals];
  const content = await agreedContent(variant, clients);
  const scanBytes = variant.sampledBy === 'received' ? content.bytes : variant.scannedBytes;
  const scans = Math.max(1, Math.ceil(size.sampleBytes / (scanBytes * variant.streams)));
  const { request, warm, streams } = variant;
  const samples = new Map<Client, Sample[]>(clients.map((client) => [client, []]));
  for (let pair = 0; pair < size.pairs; pair++) {
    for (const client of clients) {
      const sample = await client.sample({ request, warm, warmScans: size.warmScans, streams, scans });
      if (sample.rows !== content.rows * scans * streams) throw new Error(`${client.name} sent ${sample.rows} rows`);
      samples.get(client)!.push(sample);
    }
  }
  const figures = (client: Client): Figures => figuresOf(samples.get(client)!, streams);
  const rivalFigures = Object.fromEntries(rivals.map((rival) => [rival.name, figures(rival)]));
  return {
    name: variant.name,
    ours: figures(ours),
    rivals: rivalFigures,
    ratios: ratiosTo(figures(ours), rivalFigures),
    paces: Object.fromEntries(clients.map((client) => [client.name, paceOf(samples.get(client)!)])),
    rows: content.rows,
    resultHash: content.hash,
    scansPerStream: scans,
  };
}

async function agreedContent({ name, request }: Variant, clients: readonly Client[]): Promise<Content> {
  const contents: Content[] = [];
  for (const client of clients) contents.push(await client.hash(request));
  const [first] = contents;
  contents.forEach((content, at) => {
    if (content.hash === first!.hash) return;
    const says = (which: number): string =>
      `${clients[which]!.name}: ${contents[which]!.rows} rows, ${contents[which]!.hash}`;
    throw new Error(`${name}: the servers do not give the same rows (${says(0)}; ${says(at)})`);
  });
  return first!;
}
