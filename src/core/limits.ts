/**
 * Every maximum in one place, with its default. `limits.*` of the configuration overrides each; `docs/limits.md` lists them and a
 * test compares the two. Functions take the maxima that they need as arguments.
 */
export const defaultLimits = {
  /** Bytes of a scan or put request's JSON. */
  requestBytesMax: 1 << 20,
  /** Nesting of a request's JSON: a filter's own depth and a little more. */
  requestDepthMax: 320,
  /** Columns that one scan request names. */
  requestColumnsMax: 10_000,
  /** Milliseconds that a caller may take to send a request of one message. */
  requestReadMs: 30_000,
  /** Bytes of one HTTP request's body. */
  httpBodyBytesMax: 16 << 20,
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
  /** Rows of one record batch that a request may ask for. */
  batchRowsMax: 1 << 20,
  /** Rows that one Arrow record batch from outside may claim: types without buffers cost no bytes on the wire. */
  messageRowsMax: 1 << 26,
  /** Bytes of the dictionaries that one Arrow stream from outside may keep. */
  dictionariesBytesMax: 256 << 20,
  /** Fields of one schema, nested ones included. */
  schemaFieldsMax: 10_000,
  /** Nesting of a schema. */
  schemaDepthMax: 64,
  /** Fields of one partition spec or sort order. */
  partitionFieldsMax: 1_000,
  /** Bytes of one metadata.json. */
  metadataBytesMax: 256 << 20,
  /** Bytes of one manifest list or manifest. */
  manifestBytesMax: 512 << 20,
  /** Entries of one manifest. */
  manifestEntriesMax: 1_000_000,
  /** Bytes of one manifest once decompressed. */
  manifestDecodedBytesMax: 2 ** 31,
  /** Manifests of one snapshot. */
  manifestsMax: 1_000_000,
  /** Entries in the header of one Avro file. */
  avroHeaderEntriesMax: 1_000,
  /** Values, nested ones included, of one row of a manifest list or manifest. */
  avroRowValuesMax: 1_000_000,
  /** Bytes of an Arrow or Avro file that `headrace cat` holds whole. */
  wholeFileBytesMax: 1 << 30,
  /** Bytes of one Parquet footer. */
  footerBytesMax: 64 << 20,
  /** Column chunks of one Parquet file: row groups times leaf columns. */
  columnChunksMax: 500_000,
  /** Bytes that decoding may take: one read of a column unfolds to at most half of it; the WebAssembly decoder's memory grows no larger. */
  decoderMemoryBytesMax: 1 << 30,
  /** Bytes that one decompressed page, buffer or Avro block may have. */
  decompressedBytesMax: 256 << 20,
  /** Bytes of one row group's chosen columns, compressed, that a reader holds. */
  rowGroupBytesMax: 1 << 30,
  /** Bytes between two wanted ranges of a file that are read along with them rather than asked around. */
  readGapBytesMax: 64 << 10,
  /** Reads of one file at once, for one stream. */
  readsAtOnceMax: 8,
  /** Bytes of encoded columns that a stream aims to fetch and decode at a time: a large row group is read in stretches. */
  stretchBytesTarget: 12 << 20,
  /** Bytes of encoded columns that one stream has fetched at a time, the stretch that it decodes included, unless that alone has more. */
  readAheadBytesMax: 24 << 20,
  /** Bytes of encoded columns that all streams of a thread have fetched at a time; a stream that needs more at once gets it alone. */
  readPoolBytesMax: 96 << 20,
  /** Milliseconds that a reader may take nothing before its stream lets go of what others need the room for. */
  readIdleMs: 250,
  /** Row groups that one stream reads at once. */
  readAheadGroupsMax: 4,
  /** Bytes in flight of one stream. */
  streamBytesMax: 32 << 20,
  /** Bytes in flight of all streams together. */
  streamsBytesMax: 512 << 20,
  /** Bytes that a stream may have in flight whatever the others do, once a third of the room is given out by whole messages. */
  streamReserveBytesMin: 256 << 10,
  /** Streams at once. */
  streamsMax: 1_024,
  /** Milliseconds that a reader may take nothing while something waits for it; then its stream ends and it may resume. */
  streamStallMs: 600_000,
  /** DoPut and DoExchange calls at once: each may hold one incoming message of the largest size. */
  putsMax: 32,
  /** DoPut and DoExchange calls at once of one principal. */
  putsPerPrincipalMax: 24,
  /** Milliseconds that the next message of an upload may take once the server waits for it. */
  uploadStallMs: 60_000,
  /** Connections at once, on the control port and on each worker of the data plane. */
  connectionsMax: 1_024,
  /** Calls at once on one connection. */
  connectionStreamsMax: 256,
  /** Milliseconds that a connection may stay without a call. */
  connectionIdleMs: 600_000,
  /** Milliseconds after which a connection takes no new calls, so that clients spread over replicas again. */
  connectionAgeMs: 3_600_000,
  /** Milliseconds that calls on an aged connection may still take. */
  connectionAgeGraceMs: 86_400_000,
  /** Milliseconds after which a connection is asked for a sign of life. */
  keepaliveMs: 60_000,
  /** Milliseconds that a connection has to give one before it is ended. */
  keepaliveTimeoutMs: 20_000,
  /** Bytes that an upload may send ahead of the server, on the data port: twice what a path of 20 ms at 400 MB/s holds, as it is given back by halves. */
  uploadWindowBytes: 16 << 20,
  /** PING and SETTINGS frames that a connection may send in ten seconds. */
  connectionPingsMax: 2_000,
  /** Milliseconds that running calls get to finish when the server shuts down. */
  drainGraceMs: 30_000,
  /** Label values (teams, workloads) that the metrics tell apart; further ones are counted as `other`. */
  metricLabelsMax: 100,
  /** Bytes that one DoPut holds in memory before it writes. */
  putBytesMax: 256 << 20,
  /** Partitions that one DoPut keeps open at once. */
  openPartitionsMax: 128,
  /** Files that one DoPut writes. */
  putFilesMax: 10_000,
  /** Bytes of one row as Arrow holds it: what a message can carry. */
  rowBytesMax: (16 << 20) - (64 << 10),
  /** Bytes of a data file that a writer aims for. */
  fileBytesTarget: 256 << 20,
  /** Times a commit is tried again on top of a newer table before it is COMMIT_CONFLICT. */
  commitRetriesMax: 20,
  /** Bytes of one commit request's JSON. */
  commitBytesMax: 16 << 20,
  /** Updates and requirements of one commit request. */
  commitUpdatesMax: 500_000,
  /** Schemas, partition specs and sort orders that one commit request adds. */
  commitDefinitionsMax: 100,
  /** Commits that wait for one table in this process. */
  commitQueueMax: 1_024,
  /** Calls that wait for the catalog store. */
  storeQueueMax: 10_000,
  /** Namespaces, tables or entries of one listing. */
  catalogListMax: 100_000,
  /** Bytes of metadata.json text whose parsed form is kept in memory. */
  metadataCacheBytesMax: 128 << 20,
  /** Files of one policy folder. */
  policyFilesMax: 1_000,
  /** Bytes of one policy file. */
  policyBytesMax: 1 << 20,
  /** Policies of one set. */
  policiesMax: 10_000,
  /** Decisions about a principal and a table that are kept in memory. */
  decisionCacheMax: 10_000,
  /** Files of one plan whose footers are read to plan by row group; with more, row groups are looked at while streaming. */
  planFootersMax: 1_000,
  /** Bytes of scan plans that are kept. */
  planCacheBytesMax: 128 << 20,
  /** Bytes of parsed Parquet footers that are kept. */
  footerCacheBytesMax: 128 << 20,
  /** Segments of columns that the cache in memory keeps, however small they are. */
  cacheEntriesMax: 262_144,
  /** Milliseconds that one stream may take to decode a column that others wait for; then they decode it themselves. */
  cacheLeaseMs: 1_000,
  /** Bytes of Parquet dictionaries that are kept to tell which row groups lack a value. */
  dictionaryCacheBytesMax: 16 << 20,
  /** Data files of one plan. */
  planFilesMax: 1_000_000,
  /** Bytes of parsed manifest lists and manifests that are kept for each object store, about 100 for each file; 0 = none. */
  manifestCacheBytesMax: 256 << 20,
} as const;

export type Limits = { readonly [Name in keyof typeof defaultLimits]: number };
