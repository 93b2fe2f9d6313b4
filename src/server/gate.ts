import { type Auditor, auditOfDecision } from '../auth/audit.ts';
import type { Authenticator } from '../auth/authenticate/authenticator.ts';
import type { PolicyStore } from '../auth/policy/reload.ts';
import type { Catalog, Table } from '../catalog/catalog-types.ts';
import type { NamespaceFacts, Principal, TableAction, TableDecision, TableFacts } from '../core/access.ts';
import { isServiceError, ServiceError } from '../core/errors.ts';
import { formatNamespace, formatTable, type Namespace, type TableIdentifier } from '../core/identifier.ts';
import type { TableUuid } from '../core/ids.ts';
import { nearestName } from '../core/nearest.ts';
import type { FactsSource } from './facts-source.ts';

/** A table that a principal may know of, and what it may do with it. */
export interface SeenTable {
  readonly table: Table;
  readonly facts: TableFacts;
  readonly decision: TableDecision;
}

/**
 * The one way to a table on behalf of somebody. Whatever serves data, metadata or a message about a table asks here first; what is not
 * visible reads exactly as what does not exist.
 */
export interface Gate {
  readonly auditor: Auditor;
  authenticate(token: string | null, signal: AbortSignal): Promise<Principal>;
  /** NOT_FOUND for an absent or invisible table, with the nearest visible name. */
  see(principal: Principal, identifier: TableIdentifier, signal: AbortSignal): Promise<SeenTable>;
  /** The same by uuid, wherever the table is called now; REVOKED where it is gone or no longer visible. */
  seeAgain(principal: Principal, uuid: TableUuid, signal: AbortSignal): Promise<SeenTable>;
  /** The visible tables, in the order of their names. */
  list(principal: Principal, signal: AbortSignal): AsyncIterable<SeenTable>;
  /** PERMISSION_DENIED, audited, unless the action is permitted. */
  require(principal: Principal, seen: SeenTable, action: TableAction): void;
  /** For a table that does not exist yet: NOT_FOUND for an absent or invisible namespace, PERMISSION_DENIED without `write`. */
  requireCreate(principal: Principal, identifier: TableIdentifier): Promise<void>;
  /** For the admin API: PERMISSION_DENIED unless the bearer of the token may administer the whole catalog. */
  requireAdministrator(token: string | null, signal: AbortSignal): Promise<void>;
  /**
   * For a running stream, between batches: throws once the token or the decision no longer holds. Null: the table is being created,
   * and only the token is looked at.
   */
  recheck(principal: Principal, seen: SeenTable | null, signal: AbortSignal): Promise<void>;
}

export interface GateOptions {
  readonly authenticator: Authenticator;
  readonly policies: PolicyStore;
  readonly catalog: Catalog;
  readonly facts: FactsSource;
  readonly auditor: Auditor;
  readonly now: () => number;
}

// How often a running stream asks whether the decision still holds; the promise to its users is 5 seconds.
const recheckMs = 1_000;
const suggestionsMax = 5;

export function createGate(options: GateOptions): Gate {
  const { authenticator, policies, catalog, facts: source, auditor, now } = options;
  const checkedAt = new WeakMap<SeenTable, number>();

  const decide = async (principal: Principal, table: Table): Promise<SeenTable> => {
    const facts = await source.ofTable(table);
    return { table, facts, decision: await policies.decide(principal, facts) };
  };

  const record = (principal: Principal, table: string, action: TableAction, decision: TableDecision | null): void => {
    auditor.record({
      kind: 'decision',
      ...who(principal),
      table,
      ...(decision === null
        ? { policyVersion: policies.current.version, policyDigest: null, determinedBy: [] }
        : auditOfDecision(decision)),
      action,
      outcome: decision?.actions.has(action) === true ? 'allowed' : 'denied',
    });
  };

  const notFound = async (
    principal: Principal,
    identifier: TableIdentifier,
    signal: AbortSignal,
  ): Promise<ServiceError> => {
    const name = formatTable(identifier);
    const suggestion = await nearestVisible(principal, name, signal);
    const hint = suggestion === null ? '' : ` Did you mean ${suggestion}?`;
    return new ServiceError('NOT_FOUND', `there is no table ${name}.${hint}`);
  };

  const nearestVisible = async (principal: Principal, name: string, signal: AbortSignal): Promise<string | null> => {
    const tables = new Map((await catalog.listTables(null)).map((stored) => [formatTable(stored.identifier), stored]));
    tables.delete(name);
    for (let turn = 0; turn < suggestionsMax; turn++) {
      const nearest = nearestName(name, tables.keys());
      if (nearest === null) return null;
      const seen = await seenOrNothing(principal, tables.get(nearest)!.identifier, signal);
      if (seen?.decision.visible === true) return nearest;
      tables.delete(nearest);
    }
    return null;
  };

  /** A table that cannot be read or decided is left out of what lists several, and must not keep the others out. */
  const seenOrNothing = async (
    principal: Principal,
    identifier: TableIdentifier,
    signal: AbortSignal,
  ): Promise<SeenTable | null> => {
    try {
      return await decide(principal, await catalog.loadTable(identifier, signal));
    } catch (error) {
      if (isServiceError(error) && !signal.aborted) return null;
      throw error;
    }
  };

  const load = async (identifier: TableIdentifier, signal: AbortSignal): Promise<Table | null> => {
    try {
      return await catalog.loadTable(identifier, signal);
    } catch (error) {
      if (isServiceError(error, 'NOT_FOUND')) return null;
      throw error;
    }
  };

  /** The table of this uuid, wherever it is called now; null where it is gone. */
  const decideAgain = async (principal: Principal, uuid: TableUuid, signal: AbortSignal): Promise<SeenTable | null> => {
    const stored = await catalog.store.tableByUuid(uuid);
    const table = stored === null ? null : await load(stored.identifier, signal);
    return table === null || table.metadata.tableUuid !== uuid ? null : decide(principal, table);
  };

  const gate: Gate = {
    auditor,

    authenticate: (token, signal) => authenticator.authenticate(token, signal),

    async see(principal, identifier, signal) {
      const table = await load(identifier, signal);
      const seen = table === null ? null : await decide(principal, table);
      if (seen?.decision.visible === true) return seen;
      if (seen !== null) record(principal, formatTable(identifier), 'discover', seen.decision);
      throw await notFound(principal, identifier, signal);
    },

    async seeAgain(principal, uuid, signal) {
      const seen = await decideAgain(principal, uuid, signal);
      if (seen?.decision.actions.has('readTable') === true) return seen;
      if (seen !== null) record(principal, formatTable(seen.table.identifier), 'readTable', seen.decision);
      throw new ServiceError('REVOKED', 'the right to read what this ticket names was withdrawn');
    },

    async *list(principal, signal) {
      for (const { identifier } of await catalog.listTables(null)) {
        const seen = await seenOrNothing(principal, identifier, signal);
        if (seen?.decision.visible === true) yield seen;
      }
    },

    require(principal, seen, action) {
      record(principal, formatTable(seen.table.identifier), action, seen.decision);
      if (seen.decision.actions.has(action)) return;
      throw new ServiceError(
        'PERMISSION_DENIED',
        `${action} on ${formatTable(seen.table.identifier)} is not permitted to ${principal.name}`,
      );
    },

    async requireCreate(principal, identifier) {
      const { namespace } = identifier;
      const facts = await source.ofNamespace(namespace);
      const permitted = namespaceActions(policies, principal, namespace, facts);
      const name = formatNamespace(namespace);
      if (facts.length < namespace.length || permitted.size === 0) {
        throw new ServiceError('NOT_FOUND', `there is no namespace ${name}`);
      }
      if (permitted.has('write')) return;
      record(principal, formatTable(identifier), 'write', null);
      throw new ServiceError(
        'PERMISSION_DENIED',
        `write on the namespace ${name} is not permitted to ${principal.name}`,
      );
    },

    async requireAdministrator(token, signal) {
      const principal = await authenticator.authenticate(token, signal);
      // The catalog itself is the namespace that holds all others; only a permit for any resource reaches it.
      if (namespaceActions(policies, principal, [], []).has('administer')) return;
      throw new ServiceError('PERMISSION_DENIED', `administer is not permitted to ${principal.name}`);
    },

    async recheck(principal, seen, signal) {
      authenticator.recheck(principal);
      if (seen === null) return;
      const last = checkedAt.get(seen);
      if (last !== undefined && now() - last < recheckMs) return;
      checkedAt.set(seen, now());
      const again = await decideAgain(principal, seen.facts.uuid, signal);
      if (again?.decision.digest !== seen.decision.digest) {
        throw new ServiceError('REVOKED', 'what policy permits on this table changed meanwhile: begin again');
      }
    },
  };
  return gate;
}

const namespaceActions = (
  policies: PolicyStore,
  principal: Principal,
  namespace: Namespace,
  facts: readonly NamespaceFacts[],
): ReadonlySet<string> => policies.decideNamespace(principal, namespace, facts);

/** The caller's part of an audit record. */
export const who = (principal: Principal) => ({
  principal: principal.name,
  tokenId: principal.tokenId,
  workload: principal.workload,
});
