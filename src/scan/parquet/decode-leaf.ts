import { canDecode, openDecodedLeaf } from './decode/leaf-reader.ts';
import type { DecodeLimits, LeafReader, LeafSource } from './leaf-source.ts';
import { walkPages } from './pages.ts';
import { openWasmLeaf } from './wasm-leaf.ts';

export type { DecodeLimits, LeafReader, LeafSource } from './leaf-source.ts';
export type { RowRange } from './row-set.ts';

/**
 * Opens one leaf column of a row group, whose values come in the leaf's raw type (`rawType`), byte arrays as a dictionary column where
 * the file has them so, inside of the bare chain of its parents: a struct with one child per group, a list per repeated node. Pages are
 * decoded as their rows are asked for, each once where ranges ascend. All calls throw CORRUPT_FILE, LIMIT_EXCEEDED,
 * UNSUPPORTED_FEATURE.
 */
export function openLeaf(source: LeafSource, limits: DecodeLimits): LeafReader {
  const pages = walkPages(source.parts, source.leaf, source.chunk, limits.decompressedBytesMax);
  if (canDecode(source.leaf, pages)) return openDecodedLeaf(source, pages, limits);
  return openWasmLeaf(source, pages, limits);
}
