import { parseTransform, transformResultType } from '../../catalog/partition/transform.ts';
import type { Transform } from '../../catalog/partition/types.ts';
import type { PrimitiveType } from '../../catalog/schema/types.ts';
import type { Mask } from '../../core/access.ts';

/** Keys of the hash masks: one for good, one for each query. Both are secret, so that no value can be found by guessing. */
export interface MaskKeys {
  readonly global: Uint8Array;
  readonly query: Uint8Array;
}

/**
 * Which types a mask can hide, after Iceberg's read restrictions (REST catalog, `required-column-projections`): text masks and
 * windows on string; truncation on date and timestamps; hashes on string, int, long and binary; a transform where the table spec
 * lets it apply; the other two on everything.
 */
export function maskAppliesTo(mask: Mask, type: PrimitiveType): boolean {
  switch (mask.kind) {
    case 'mask-alphanum':
    case 'show-first-4':
    case 'show-last-4':
      return type.kind === 'string';
    case 'truncate-to-month':
    case 'truncate-to-year':
      return type.kind === 'date' || type.kind.startsWith('timestamp');
    case 'sha-256-global':
    case 'sha-256-query-local':
      return type.kind === 'string' || type.kind === 'int' || type.kind === 'long' || type.kind === 'binary';
    case 'apply-transform':
      return boundTransform(mask.transform, type) !== null;
    case 'mask-to-default':
      return type.kind !== 'unknown';
    case 'replace-with-null':
      return true;
    default:
      return mask satisfies never;
  }
}

/** The mask that is applied: a mask that cannot hide a type gives way to nulls, never to the raw values. */
export function effectiveMask(mask: Mask, type: PrimitiveType): Mask {
  return maskAppliesTo(mask, type) ? mask : { kind: 'replace-with-null' };
}

/** The type of the masked values. Only a transform changes it; whatever the mask, the column may hold nulls afterwards. */
export function maskResultType(mask: Mask, type: PrimitiveType): PrimitiveType {
  if (mask.kind !== 'apply-transform') return type;
  return boundTransform(mask.transform, type)?.result ?? type;
}

/** A mask's transform with its result type, null where it is unknown or does not apply to the type. */
export function boundTransform(
  text: string,
  type: PrimitiveType,
): { readonly transform: Transform; readonly result: PrimitiveType } | null {
  try {
    const transform = parseTransform(text);
    return { transform, result: transformResultType(transform, type) };
  } catch {
    // Both throw only to say that the transform is unknown or does not apply.
    return null;
  }
}
