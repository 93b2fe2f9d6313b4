/** Where data and metadata files live. Locations are absolute URIs (`file:///…`, `s3://…`); nothing outside `storage` opens one. */
export interface ObjectStore {
  /** Throws NOT_FOUND where there is no such object. */
  stat(location: string, signal: AbortSignal): Promise<ObjectStat>;
  /** Exactly the bytes [start, end); fewer is CORRUPT_FILE, an object that changed since `identity` is UNAVAILABLE. */
  read(location: string, range: ByteRange, signal: AbortSignal, identity?: string): Promise<Uint8Array>;
  /** Whole small objects (metadata); LIMIT_EXCEEDED above `bytesMax`. */
  readAll(location: string, bytesMax: number, signal: AbortSignal): Promise<Uint8Array>;
  /** A new object, invisible until `commit`; ALREADY_EXISTS where one is there. Dispose without commit removes every trace. */
  create(location: string, signal: AbortSignal): Promise<ObjectWriter>;
  /** Every object below a prefix that ends in `/`, in no order. */
  list(prefix: string, signal: AbortSignal): AsyncIterable<ObjectStat & { readonly location: string }>;
  /** Absent objects are no error. */
  delete(locations: readonly string[], signal: AbortSignal): Promise<void>;
}

export interface ObjectStat {
  readonly bytes: number;
  /** Changes whenever the content does (an ETag; for local files inode, size and mtime). */
  readonly identity: string;
  readonly modifiedMs: number;
}

/** [start, end) in bytes. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

export interface ObjectWriter extends AsyncDisposable {
  write(bytes: Uint8Array): Promise<void>;
  /** Durable and visible when it returns (file and directory fsynced). */
  commit(): Promise<ObjectStat>;
}
