/**
 * Every maximum in one place, with its default. `limits.*` of the configuration overrides each; `docs/limits.md` lists them and a
 * test compares the two. Functions take the maxima that they need as arguments.
 */
export const defaultLimits = {
  /** Bytes of a scan or put request's JSON. */
  requestBytesMax: 1 << 20,
  /** Characters of a filter written as text. */
  filterCharsMax: 64 * 1024,
  /** Nesting of a filter expression. */
  filterDepthMax: 256,
  /** Nodes of a filter expression, list literals counted one each. */
  filterNodesMax: 10_000,
  /** Endpoints of one plan. */
  shardsMax: 1_024,
  /** Bytes that one Flight message aims for. */
  messageBytesTarget: 2 << 20,
  /** Bytes that no Flight message exceeds, sent or received. */
  messageBytesMax: 16 << 20,
  /** Rows of one record batch where the request does not say. */
  batchRowsDefault: 65_536,
  /** Fields of one schema, nested ones included. */
  schemaFieldsMax: 10_000,
  /** Nesting of a schema. */
  schemaDepthMax: 64,
  /** Bytes of one metadata.json. */
  metadataBytesMax: 256 << 20,
  /** Bytes of one manifest list or manifest. */
  manifestBytesMax: 512 << 20,
  /** Bytes of one Parquet footer. */
  footerBytesMax: 64 << 20,
  /** Bytes that one decompressed page, buffer or Avro block may have. */
  decompressedBytesMax: 256 << 20,
  /** Bytes of one row group's chosen columns, compressed, that a reader holds. */
  rowGroupBytesMax: 1 << 30,
  /** Bytes in flight of one stream. */
  streamBytesMax: 32 << 20,
  /** Bytes in flight of all streams together. */
  streamsBytesMax: 512 << 20,
  /** Streams at once. */
  streamsMax: 1_024,
  /** Bytes that one DoPut holds in memory before it writes. */
  putBytesMax: 256 << 20,
  /** Partitions that one DoPut keeps open at once. */
  openPartitionsMax: 128,
  /** Bytes of a data file that a writer aims for. */
  fileBytesTarget: 256 << 20,
  /** Times a commit is tried again on top of a newer table before it is COMMIT_CONFLICT. */
  commitRetriesMax: 20,
} as const;

export type Limits = { readonly [Name in keyof typeof defaultLimits]: number };
