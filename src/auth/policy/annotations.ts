import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';
import type { Mask } from '../../core/access.ts';
import { isServiceError } from '../../core/errors.ts';
import { type FilterLimits, type PolicyFilter, parsePolicyFilter } from '../../core/expression/parse.ts';
import { didYouMean } from '../../core/nearest.ts';
import { maskNames, parseMask } from './mask.ts';
import { columnAction, type PolicyAction } from './schema.ts';

export interface PolicyAnnotations {
  readonly id: string | null;
  readonly mask: Mask | null;
  readonly filter: PolicyFilter | null;
  readonly problems: readonly string[];
}

const known = ['id', 'description', 'advice', 'mask', 'filter'];
const idPattern = /^[\p{L}\p{N}][\p{L}\p{N} ._:#/-]{0,127}$/u;

/**
 * Reads the annotations, against an allow-list: Cedar ignores one that it does not know, so that `@msk` would grant raw values.
 */
export function readAnnotations(
  json: PolicyJson,
  actions: ReadonlySet<PolicyAction>,
  limits: FilterLimits,
): PolicyAnnotations {
  const problems: string[] = [];
  const values = new Map(Object.entries(json.annotations ?? {}).map(([name, value]) => [name, value ?? '']));
  for (const name of values.keys()) {
    if (!known.includes(name))
      problems.push(`@${name} is not an annotation that Headrace knows.${didYouMean(name, known)}`);
  }
  const only = (action: PolicyAction): boolean => actions.size === 1 && actions.has(action);
  const id = values.get('id') ?? null;
  if (id !== null && !idPattern.test(id)) problems.push('@id must be 1 to 128 letters, digits, spaces or ._:#/-');

  const maskText = values.get('mask');
  const mask = maskText === undefined ? null : parseMask(maskText);
  if (maskText !== undefined) {
    if (json.effect !== 'permit') problems.push('@mask belongs on a permit: a forbid shows nothing anyway');
    if (!only(columnAction))
      problems.push('@mask belongs on a policy whose only action is readColumn: action == Action::"readColumn"');
    if (mask === null) problems.push(`@mask(${JSON.stringify(maskText)}) is not a mask: use one of ${maskNames}`);
  }

  const filterText = values.get('filter');
  if (filterText === undefined) return { id, mask, filter: null, problems };
  if (json.effect !== 'permit') problems.push('@filter belongs on a permit: write the rows that it admits');
  if (actions.has(columnAction)) {
    problems.push(
      '@filter on readColumn is not supported by this release: put it on a permit whose only action is readTable',
    );
  } else if (!only('readTable')) {
    problems.push('@filter belongs on a policy whose only action is readTable: action == Action::"readTable"');
  }
  const filter = readFilter(filterText, limits);
  if (typeof filter === 'string') problems.push(`@filter cannot be read: ${filter}`);
  return { id, mask, filter: typeof filter === 'string' ? null : filter, problems };
}

function readFilter(text: string, limits: FilterLimits): PolicyFilter | string {
  try {
    return parsePolicyFilter(text, limits);
  } catch (error) {
    if (isServiceError(error)) return error.message;
    throw error;
  }
}
