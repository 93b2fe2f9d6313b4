import type { Client, Content, Measurement, StreamJob } from './client.ts';
import type { BenchRequest } from './contender.ts';
import { figuresOf, type Sample } from './figures.ts';
import { interleave, type Runner, type VariantResult } from './interleave.ts';
import type { Size } from './size.ts';

/** One way in which streams are measured. */
export interface StreamVariant {
  readonly name: string;
  readonly request: BenchRequest;
  /** Read before each sample, `warmScans` times or as often as the size says. */
  readonly warm: BenchRequest;
  readonly warmScans?: number;
  readonly streams: number;
  /** Several streams read the shards of one scan, each its own; absent = each reads the whole. */
  readonly divide?: boolean;
  readonly oneConnection?: boolean;
  /** A scan ends with its first batch: what counts is the time until then. */
  readonly firstOnly?: boolean;
  /** Arrow bytes of the table that one scan goes through. */
  readonly scannedBytes: number;
  /**
   * What a sample's size is counted by: what clients receive, or, where a filter drops nearly all of it, the bytes scanned. The figures
   * are per GB received in both cases, unless `perScanned` says that they are per GB scanned.
   */
  readonly sampledBy: 'received' | 'scanned';
  readonly perScanned?: boolean;
  /** Bytes that one scan must read of the files at least; absent = not compared. */
  readonly leastReadBytes?: number;
  /** Contenders that are not to give the same rows as ours. */
  readonly otherRows?: readonly string[];
}

/** Checks that all servers give the same rows, then samples them in turn. Throws when contents differ. */
export async function measureStreams(
  variant: StreamVariant,
  ours: Client,
  rivals: readonly Client[],
  size: Size,
): Promise<VariantResult> {
  const contents = await agreedContents(variant, [ours, ...rivals]);
  const content = contents.get(ours)!;
  const runner = (client: Client): Runner =>
    streamRunner(variant, client, { ...content, rows: contents.get(client)!.rows }, size);
  const about = { name: variant.name, rows: content.rows, resultHash: content.hash };
  return await interleave(about, runner(ours), rivals.map(runner), size.pairs);
}

/** Scans of each stream that make a sample of the wanted size. */
function scansOf(
  { sampledBy, scannedBytes, streams, divide, firstOnly }: StreamVariant,
  { bytes }: Content,
  size: Size,
): number {
  if (firstOnly) return size.calls;
  const scanBytes = sampledBy === 'received' ? bytes : scannedBytes;
  return Math.max(1, Math.ceil(size.sampleBytes / (scanBytes * (divide ? 1 : streams))));
}

/** Samples of one server whose scan holds `content`: its rows are checked, its bytes say how many scans make a sample. */
export function streamRunner(variant: StreamVariant, client: Client, content: Content, size: Size): Runner {
  const scans = scansOf(variant, content, size);
  const { request, warm, streams, divide = false, oneConnection = false, firstOnly = false } = variant;
  const wholes = scans * (divide ? 1 : streams);
  const job: StreamJob = {
    ...{ request, warm, streams, scans, divide, oneConnection, firstOnly },
    warmScans: variant.warmScans ?? size.warmScans,
  };
  return {
    name: client.name,
    async sample() {
      const measured = await client.stream(job);
      if (!firstOnly && measured.rows !== content.rows * wholes) {
        throw new Error(`${client.name} sent ${measured.rows} rows of ${content.rows * wholes} (${variant.name})`);
      }
      const bytes = variant.perScanned ? variant.scannedBytes * wholes : measured.bytes;
      return sampleOf(measured, { streams, bytes, calls: wholes, leastReadBytes: variant.leastReadBytes });
    },
  };
}

export interface SampleTerms {
  readonly streams: number;
  /** What figures per GB are per. */
  readonly bytes: number;
  /** Scans or puts. */
  readonly calls: number;
  readonly leastReadBytes?: number | undefined;
}

/** Figures of what a client measured. */
export function sampleOf(measured: Measurement, { streams, bytes, calls, leastReadBytes }: SampleTerms): Sample {
  const { wallS, serverCpuS: cpuS, clientCpuS, rssMb, readBytes } = measured;
  return {
    rows: measured.rows,
    bytes,
    latenciesMs: measured.callMs,
    figures: {
      ...figuresOf({ bytes, wallS, cpuS, clientCpuS, rssMb, streams }),
      rss_outside_cache_mb: measured.rssOutsideCacheMb,
      ...(readBytes !== null && { read_mb_per_scan: readBytes / 1e6 / calls }),
      ...(readBytes !== null && leastReadBytes && { read_per_minimum: readBytes / calls / leastReadBytes }),
      per_s: calls / wallS,
    },
  };
}

async function agreedContents(
  { name, request, otherRows = [] }: StreamVariant,
  clients: readonly Client[],
): Promise<ReadonlyMap<Client, Content>> {
  const contents = new Map<Client, Content>();
  for (const client of clients) contents.set(client, await client.hash(request));
  const [[ours, first]] = [...contents] as [[Client, Content]];
  for (const [client, content] of contents) {
    if (content.hash === first.hash || otherRows.includes(client.name)) continue;
    const says = ({ name }: Client, { rows, hash }: Content): string => `${name}: ${rows} rows, ${hash}`;
    throw new Error(`${name}: the servers do not give the same rows (${says(ours, first)}; ${says(client, content)})`);
  }
  return contents;
}
