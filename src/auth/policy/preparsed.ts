import { createHash } from 'node:crypto';
import {
  type EntityJson,
  type EntityUidJson,
  type PolicyJson,
  preparsePolicySet,
  statefulIsAuthorized,
} from '@cedar-policy/cedar-wasm/nodejs';
import { LRUCache } from 'lru-cache';
import { isServiceError, ServiceError } from '../../core/errors.ts';
import { preparsedSchema } from './schema.ts';

/** Some policies as Cedar is to read them, and a text that is equal only for equal ones. */
export interface Slice {
  readonly key: string;
  readonly policies: ReadonlyMap<string, string | PolicyJson>;
}

export interface CedarRequest {
  readonly principal: EntityUidJson;
  readonly action: string;
  readonly resource: EntityUidJson;
  /** Every entity that the request or a policy's scope can reach, with all attributes of the schema. */
  readonly entities: readonly EntityJson[];
}

export interface CedarAnswer {
  readonly allowed: boolean;
  /** The permits that hold, where allowed; the forbids that hold, where not. */
  readonly reasons: readonly string[];
}

/** Cedar holds parsed policies under names and never frees one, so that names are used again. */
const namesMax = 256;
let namesMade = 0;
const freeNames: string[] = [];
const parsedSlices = new LRUCache<string, string>({ max: namesMax, dispose: (name) => freeNames.push(name) });

/**
 * Asks Cedar. Cedar skips a policy whose condition fails, a forbid too, and then allows: any such failure is POLICY_UNAVAILABLE
 * here, with the policies concerned in `cause`, and so is anything that keeps Cedar from answering.
 */
export function askCedar(slice: Slice, request: CedarRequest): CedarAnswer {
  const answer = orUndecidable(() =>
    statefulIsAuthorized({
      principal: request.principal,
      action: { type: 'Action', id: request.action },
      resource: request.resource,
      context: {},
      entities: [...request.entities],
      preparsedSchemaName: preparsedSchema(),
      validateRequest: true,
      preparsedPolicySetId: parsedName(slice),
    }),
  );
  if (answer.type === 'failure') throw undecidable(answer.errors);
  const { decision, diagnostics } = answer.response;
  if (diagnostics.errors.length > 0) throw undecidable(diagnostics.errors);
  return { allowed: decision === 'allow', reasons: diagnostics.reason };
}

function parsedName(slice: Slice): string {
  const key = slice.key.length > 128 ? createHash('sha256').update(slice.key).digest('base64') : slice.key;
  const known = parsedSlices.get(key);
  if (known !== undefined) return known;
  const name = freeNames.pop() ?? `headrace-${namesMade++}`;
  const answer = orUndecidable(() => preparsePolicySet(name, { staticPolicies: Object.fromEntries(slice.policies) }));
  if (answer.type === 'failure') {
    freeNames.push(name);
    throw undecidable(answer.errors);
  }
  parsedSlices.set(key, name);
  return name;
}

/** Cedar's WebAssembly throws where it cannot even read its input. */
function orUndecidable<T>(ask: () => T): T {
  try {
    return ask();
  } catch (error) {
    throw isServiceError(error) ? error : undecidable(error);
  }
}

export const undecidable = (cause: unknown): ServiceError =>
  new ServiceError(
    'POLICY_UNAVAILABLE',
    'a policy cannot be decided, so access is denied: ask whoever keeps the policies',
    { cause },
  );
