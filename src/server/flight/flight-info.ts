import { schemaOf, snapshotsById } from '../../catalog/metadata/time-travel.ts';
import type { Schema } from '../../catalog/schema/types.ts';
import type { Principal } from '../../core/access.ts';
import type { ScanRequest } from '../../core/requests.ts';
import type { ArrowSchema } from '../../scan/arrow/column.ts';
import { arrowSchemaOf } from '../../scan/arrow/iceberg.ts';
import { encodeSchema } from '../../scan/arrow/ipc-schema.ts';
import { textDictionaryIds } from '../../scan/arrow/kernels/dictionary-encode.ts';
import { exactRows, shardPlan } from '../../scan/plan.ts';
import { projectColumns } from '../../scan/projection.ts';
import { visibleSchema } from '../../scan/visible-schema.ts';
import type { Gate, SeenTable } from '../gate.ts';
import { type PlannedRequest, ticketOf } from '../streams/plan-request.ts';
import type { Planner } from '../streams/planner.ts';
import { type ScanTerms, settleTerms } from '../streams/scan-terms.ts';
import { newTicketId, type Tickets } from '../streams/tickets.ts';
import { encapsulate } from '../streams/wire/flight-data.ts';
import type { FlightDescriptor, FlightEndpoint, FlightInfo } from '../streams/wire/messages.ts';
import type { Locations } from './locations.ts';

export interface PlanningServices {
  readonly gate: Gate;
  readonly planner: Planner;
  readonly tickets: Tickets;
  readonly ticketTtlMs: number;
  readonly now: () => number;
  readonly locations: Locations;
}

/** The plan as Flight tells it: exactly `shards` endpoints, counts only for whom nothing is hidden. */
export function flightInfo(
  principal: Principal,
  request: ScanRequest,
  descriptor: FlightDescriptor,
  planned: PlannedRequest,
  services: PlanningServices,
): FlightInfo {
  const { plan, seen } = planned;
  const { restricted } = seen.decision;
  const rows = restricted ? null : exactRows(plan);
  return {
    schema: schemaMessage(plan.schemas.arrow, request.dictionaries),
    descriptor,
    endpoints: endpoints(principal, request, planned, services),
    totalRecords: rows ?? -1,
    totalBytes: rows === null || plan.limit !== null ? -1 : (plan.bytesEnds.at(-1) ?? 0),
    ordered: request.ordered,
    appMetadata: new TextEncoder().encode(JSON.stringify(planFacts(planned))),
  };
}

/** The FlightInfo's `app_metadata`. */
export function planFacts({ plan, seen, terms, planId }: PlannedRequest): object {
  const { files, filesPruned, rowGroups, rowGroupsPruned } = plan.counts;
  return {
    plan: planId,
    snapshot_id: terms.snapshotId?.toString() ?? null,
    schema_id: terms.schemaId,
    policy_digest: seen.decision.digest,
    verdict: null,
    ...(!seen.decision.restricted && {
      files,
      files_pruned: filesPruned,
      row_groups: rowGroups,
      row_groups_pruned: rowGroupsPruned,
    }),
  };
}

function endpoints(
  principal: Principal,
  request: ScanRequest,
  planned: PlannedRequest,
  services: PlanningServices,
): FlightEndpoint[] {
  // Tickets count whole seconds.
  const expiresAt = Math.floor((services.now() + services.ticketTtlMs) / 1000);
  return shardPlan(planned.plan, request.shards).map((range) => ({
    ticket: services.tickets.seal(ticketOf(request, planned, range, newTicketId()), principal.name, expiresAt),
    locations: services.locations(),
    expiresAtMs: expiresAt * 1000,
    appMetadata: new Uint8Array(0),
  }));
}

/** The columns of a request as the principal sees them, without planning. */
export function requestSchema(request: ScanRequest, seen: SeenTable): ArrowSchema {
  const terms = settleTerms(request, seen.table.metadata);
  return arrowSchemaOf(
    projectColumns(visibleSchema(schemaWithId(seen, terms), seen.decision.columns), request.columns),
  );
}

function schemaWithId({ table: { metadata } }: SeenTable, terms: ScanTerms): Schema {
  const schema = metadata.schemas.find(({ schemaId }) => schemaId === terms.schemaId);
  if (schema !== undefined) return schema;
  return schemaOf(metadata, terms.snapshotId === null ? null : (snapshotsById(metadata).get(terms.snapshotId) ?? null));
}

/** An IPC schema message with continuation marker and length. */
export const schemaMessage = (schema: ArrowSchema, dictionaries = false): Uint8Array =>
  encapsulate(encodeSchema(schema, dictionaries ? textDictionaryIds(schema) : new Map()));
