import type { PrimitiveType } from '../../catalog/schema/types.ts';
import type { Mask } from '../../core/access.ts';
import type { BytesColumn, Column, DictionaryColumn, FixedColumn } from '../arrow/column.ts';
import { arrowTypeOf } from '../arrow/iceberg.ts';
import { dictionaryRows } from '../arrow/kernels/hydrate.ts';
import { nullColumn } from '../arrow/kernels/null-column.ts';
import { takeColumn } from '../arrow/kernels/take.ts';
import { compactDictionary, mergeEqualEntries } from './dictionary.ts';
import { defaultColumn } from './mask-default.ts';
import { hashBytes, hashNumbers } from './mask-hash.ts';
import { maskTexts } from './mask-text.ts';
import { truncateTimes } from './mask-time.ts';
import { transformColumn } from './mask-transform.ts';
import { boundTransform, effectiveMask, type MaskKeys } from './masks.ts';
import { scrubColumn } from './scrub.ts';

/**
 * The masked values of a column of a primitive type, of the type that `maskResultType` says; where the mask cannot hide the type,
 * nulls. Nulls stay null, except that `mask-to-default` replaces them too. A dictionary is masked once per value that is used, and
 * stays one where the result is text or binary. All buffers are fresh: no raw byte is left in them, under nulls, in padding or
 * in a dictionary.
 */
export function applyMask(column: Column, type: PrimitiveType, mask: Mask, keys: MaskKeys): Column {
  const applied = effectiveMask(mask, type);
  switch (applied.kind) {
    case 'replace-with-null':
      return nullColumn(arrowTypeOf(type), column.length);
    case 'mask-to-default':
      return defaultColumn(type, column.length);
    default:
      return column.kind === 'dictionary'
        ? maskDictionary(column, type, applied, keys)
        : maskValues(scrubColumn(column), type, applied, keys);
  }
}

type ValueMask = Exclude<Mask, { kind: 'replace-with-null' | 'mask-to-default' }>;

function maskDictionary(column: DictionaryColumn, type: PrimitiveType, mask: ValueMask, keys: MaskKeys): Column {
  const used = compactDictionary(column);
  const dictionary = maskValues(scrubColumn(used.dictionary), type, mask, keys);
  const masked: DictionaryColumn = { ...used, type: dictionary.type, dictionary };
  if (dictionary.kind === 'bytes' && dictionary.nullCount === 0) {
    // Hashes of different values differ.
    return mask.kind.startsWith('sha-256') ? masked : mergeEqualEntries(masked);
  }
  return takeColumn(dictionary, dictionaryRows(masked));
}

/** The column has zeros under its nulls, so that what a kernel makes of them tells nothing. */
function maskValues(column: Column, type: PrimitiveType, mask: ValueMask, keys: MaskKeys): Column {
  if (column.kind === 'null') return column;
  switch (mask.kind) {
    case 'mask-alphanum':
    case 'show-first-4':
    case 'show-last-4':
      return maskTexts(column as BytesColumn, mask.kind);
    case 'truncate-to-month':
      return truncateTimes(column as FixedColumn, type, 'month');
    case 'truncate-to-year':
      return truncateTimes(column as FixedColumn, type, 'year');
    case 'sha-256-global':
      return hashColumn(column, type, keys.global);
    case 'sha-256-query-local':
      return hashColumn(column, type, keys.query);
    case 'apply-transform': {
      const transform = boundTransform(mask.transform, type)?.transform;
      if (transform === undefined || transform.kind === 'unknown') return nullColumn(arrowTypeOf(type), column.length);
      return transformColumn(column, type, transform);
    }
    default:
      return mask satisfies never;
  }
}

function hashColumn(column: Column, type: PrimitiveType, key: Uint8Array): Column {
  return column.kind === 'bytes'
    ? hashBytes(column, key, type.kind === 'string' ? 'hex' : 'bytes')
    : hashNumbers(column as FixedColumn, key);
}
