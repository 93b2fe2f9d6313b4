import type { EncodedRowGroup } from './encoded-row-group.ts';
import { isPageCodec } from './pages/compress.ts';
import { encodePages } from './pages/encode.ts';
import type { RowGroupJob } from './row-group-job.ts';
import { encodeInWasm } from './wasm-row-group.ts';

/**
 * Encodes a row group on this thread, which it holds for tens of milliseconds per 16 MB. Its pages may lie in `memory`, of any size.
 */
export function encodeRowGroup(job: RowGroupJob, memory: ArrayBufferLike): EncodedRowGroup {
  return isPageCodec(job.options.codec) ? encodePages(job, memory) : encodeInWasm(job);
}
