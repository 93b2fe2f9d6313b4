import { createHash } from 'node:crypto';
import { formatMask } from '../../auth/policy/mask.ts';
import type { Catalog } from '../../catalog/catalog-types.ts';
import { parseJson, stringifyJson } from '../../catalog/metadata/big-json.ts';
import { parseCommitRequest } from '../../catalog/metadata/updates.ts';
import { serializeTableMetadata } from '../../catalog/metadata/write.ts';
import type { Principal } from '../../core/access.ts';
import { ServiceError } from '../../core/errors.ts';
import { formatTable, parseTableIdentifier } from '../../core/identifier.ts';
import { type FieldId, fieldId } from '../../core/ids.ts';
import type { Limits } from '../../core/limits.ts';
import { didYouMean } from '../../core/nearest.ts';
import { fieldIdKey } from '../../scan/arrow/column.ts';
import { commitRights } from '../commit-rights.ts';
import type { SeenTable } from '../gate.ts';
import { planRequest } from '../streams/plan-request.ts';
import { parseScanRequest } from '../streams/requests.ts';
import type { RunningPlans } from '../streams/running-plans.ts';
import type { ActionType } from '../streams/wire/messages.ts';
import { noTrace } from '../telemetry/traces.ts';
import {
  decodeCancelFlightInfo,
  decodeRenewFlightEndpoint,
  encodeCancelFlightInfoResult,
  encodeRenewFlightEndpointResult,
  flightActions,
  sessionAction,
} from './actions-proto.ts';
import { type PlanningServices, planFacts } from './flight-info.ts';

export interface ActionServices extends PlanningServices {
  readonly catalog: Catalog;
  readonly running: RunningPlans;
  readonly limits: Limits;
}

const ownActions: readonly ActionType[] = [
  {
    type: 'headrace.commit',
    description: "Commits Iceberg REST's CommitTableRequest (JSON) and answers its CommitTableResponse",
  },
  { type: 'headrace.snapshots', description: 'Lists the snapshots and refs of {"table": …} as JSON' },
  { type: 'headrace.explain', description: 'Says how a scan request (JSON) is pruned and which policies determine it' },
];
const reservedActions = new Set([
  'promote',
  'maintain',
  'lease',
  'headrace.promote',
  'headrace.maintain',
  'headrace.lease',
]);

export const actionTypes: readonly ActionType[] = [...flightActions, ...ownActions];

/** Runs one action and gives the body of its result. INVALID_REQUEST for an unknown one. */
export async function runAction(
  type: string,
  body: Uint8Array,
  principal: Principal,
  services: ActionServices,
  signal: AbortSignal,
): Promise<Uint8Array> {
  switch (type) {
    case 'CancelFlightInfo':
      return cancel(body, principal, services);
    case 'RenewFlightEndpoint':
      return renew(body, principal, services, signal);
    case 'headrace.commit':
      return commit(body, principal, services, signal);
    case 'headrace.snapshots':
      return snapshots(body, principal, services, signal);
    case 'headrace.explain':
      return explain(body, principal, services, signal);
  }
  const session = sessionAction(type, body);
  if (session !== null) return session;
  if (reservedActions.has(type)) throw new ServiceError('UNSUPPORTED_FEATURE', `the action ${type} is not there yet`);
  const known = actionTypes.map((action) => action.type);
  throw new ServiceError('INVALID_REQUEST', `there is no action ${JSON.stringify(type)}.${didYouMean(type, known)}`);
}

/** Ends every stream of the plan that the endpoints' tickets belong to. Only the plan's own principal can open them. */
async function cancel(body: Uint8Array, principal: Principal, services: ActionServices): Promise<Uint8Array> {
  const info = decodeCancelFlightInfo(body);
  const plans = new Set<string>();
  for (const endpoint of info.endpoints) {
    plans.add((await services.tickets.open(endpoint.ticket, principal.name)).plan);
  }
  for (const plan of plans) services.running.cancel(plan);
  return encodeCancelFlightInfoResult(plans.size > 0 ? 'CANCELLED' : 'NOT_CANCELLABLE');
}

/** The same endpoint with a later expiry, where the decision still is the one that it was planned under. */
async function renew(
  body: Uint8Array,
  principal: Principal,
  services: ActionServices,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const endpoint = decodeRenewFlightEndpoint(body);
  const ticket = await services.tickets.open(endpoint.ticket, principal.name);
  const seen = await services.gate.seeAgain(principal, ticket.uuid, signal);
  if (seen.decision.digest !== ticket.policyDigest) {
    throw new ServiceError(
      'TICKET_EXPIRED',
      'what policy permits on this table changed since the scan was planned: plan again',
    );
  }
  // Tickets count whole seconds.
  const expiresAt = Math.floor((services.now() + services.ticketTtlMs) / 1000);
  const sealed = services.tickets.seal(ticket, principal.name, expiresAt);
  return encodeRenewFlightEndpointResult({ ...endpoint, ticket: sealed, expiresAtMs: expiresAt * 1000 });
}

/** A commit may name any file and change any column, so only who sees the whole table may make one. */
async function commit(
  body: Uint8Array,
  principal: Principal,
  services: ActionServices,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const json = readJson(body, services.limits.commitBytesMax, 'limits.commitBytesMax');
  const { 'idempotency-key': key, ...rest } = json;
  if (key !== undefined && typeof key !== 'string') {
    throw new ServiceError('INVALID_REQUEST', 'idempotency-key must be a string');
  }
  const { identifier, requirements, updates } = parseCommitRequest(rest);
  if (identifier === null)
    throw new ServiceError('INVALID_REQUEST', 'the commit needs an identifier: {"namespace": […], "name": …}');
  const seen = await services.gate.see(principal, identifier, signal);
  services.gate.require(principal, seen, 'write');
  if (seen.decision.restricted) {
    throw new ServiceError(
      'PERMISSION_DENIED',
      `${principal.name} does not see every row and column of ${formatTable(identifier)} as it is, and may not commit to it`,
    );
  }
  for (const { anyOf, why } of commitRights(updates)) {
    const held = anyOf.find((action) => seen.decision.actions.has(action));
    services.gate.require(principal, seen, held ?? anyOf[0], why);
  }
  const committed = await services.catalog.commitTable(
    identifier,
    { requirements, updates },
    {
      signal,
      ...(key !== undefined && { idempotencyKey: key, principal: principal.name, digest: sha256(stringifyJson(rest)) }),
    },
  );
  return utf8(
    `{"metadata-location":${JSON.stringify(committed.metadataLocation)},"metadata":${serializeTableMetadata(committed.metadata)}}`,
  );
}

async function snapshots(
  body: Uint8Array,
  principal: Principal,
  { gate, limits }: ActionServices,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const { table, ...others } = readJson(body, limits.requestBytesMax, 'limits.requestBytesMax');
  const [other] = Object.keys(others);
  if (typeof table !== 'string' || other !== undefined) {
    throw new ServiceError(
      'INVALID_REQUEST',
      `headrace.snapshots takes {"table": "namespace.table"}${other === undefined ? '' : `, not ${other}`}`,
    );
  }
  const seen = await gate.see(principal, parseTableIdentifier(table), signal);
  gate.require(principal, seen, 'readTable');
  return utf8(JSON.stringify(snapshotsJson(seen)));
}

/** Oldest first. Summaries hold counts, which a restricted principal does not get. */
export function snapshotsJson({ table: { metadata }, decision: { restricted } }: SeenTable): object {
  return {
    current_snapshot_id: metadata.currentSnapshotId?.toString() ?? null,
    snapshots: metadata.snapshots.map((snapshot) => ({
      snapshot_id: snapshot.snapshotId.toString(),
      parent_snapshot_id: snapshot.parentSnapshotId?.toString() ?? null,
      timestamp: new Date(snapshot.timestampMs).toISOString(),
      schema_id: snapshot.schemaId,
      operation: snapshot.summary.get('operation') ?? null,
      ...(!restricted && { summary: Object.fromEntries(snapshot.summary) }),
    })),
    refs: Object.fromEntries(
      [...metadata.refs].map(([name, ref]) => [name, { snapshot_id: ref.snapshotId.toString(), type: ref.type }]),
    ),
  };
}

async function explain(
  body: Uint8Array,
  principal: Principal,
  services: ActionServices,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const planned = await planRequest(principal, parseScanRequest(body, services.limits), services, signal, noTrace);
  const { decision } = planned.seen;
  const { arrow } = planned.plan.schemas;
  return utf8(
    JSON.stringify({
      ...planFacts(planned),
      principal: principal.name,
      policy_version: decision.policyVersion,
      policies: decision.determinedBy,
      restricted: decision.restricted,
      rows_filtered: decision.rowFilter !== null,
      columns: arrow.fields.map((field) => ({
        name: field.name,
        field_id: Number(field.metadata.get(fieldIdKey)),
        access: accessText(decision, fieldId(Number(field.metadata.get(fieldIdKey)))),
      })),
    }),
  );
}

function accessText({ columns }: SeenTable['decision'], id: FieldId): string {
  const access = columns.get(id);
  return access?.kind === 'masked' ? formatMask(access.mask) : 'raw';
}

function readJson(body: Uint8Array, bytesMax: number, limit: string): Readonly<Record<string, unknown>> {
  if (body.length > bytesMax) {
    throw new ServiceError(
      'LIMIT_EXCEEDED',
      `the action's body has ${body.length} bytes; at most ${bytesMax} are read (${limit})`,
    );
  }
  const json = parseJson(readText(body));
  if (typeof json === 'object' && json !== null && !Array.isArray(json))
    return json as Readonly<Record<string, unknown>>;
  throw new ServiceError('INVALID_REQUEST', "the action's body must be a JSON object");
}

function readText(body: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch (cause) {
    throw new ServiceError('INVALID_REQUEST', "the action's body must be JSON in UTF-8", { cause });
  }
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
