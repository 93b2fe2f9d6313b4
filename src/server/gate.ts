import { type Auditor, type AuditRecord, auditOfDecision } from '../auth/audit.ts';
import type { Authenticator } from '../auth/authenticate/authenticator.ts';
import type { PolicyStore } from '../auth/policy/reload.ts';
import type { Catalog, Table } from '../catalog/catalog-types.ts';
import type { NamespaceFacts, Principal, TableAction, TableDecision, TableFacts } from '../core/access.ts';
import { type ErrorCode, isServiceError, ServiceError } from '../core/errors.ts';
import { formatNamespace, formatTable, type Namespace, type TableIdentifier } from '../core/identifier.ts';
import type { TableUuid } from '../core/ids.ts';
import { nearestName } from '../core/nearest.ts';
import type { FactsSource } from './facts-source.ts';
import type { Log } from './telemetry/log.ts';

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
  /**
   * NOT_FOUND for an absent or invisible table, with the nearest visible name; also for one whose metadata cannot be read, since nobody
   * can tell then who may know of it. POLICY_UNAVAILABLE where policy cannot be decided.
   */
  see(principal: Principal, identifier: TableIdentifier, signal: AbortSignal): Promise<SeenTable>;
  /** The same by uuid, wherever the table is called now; REVOKED where it is gone or no longer visible. */
  seeAgain(principal: Principal, uuid: TableUuid, signal: AbortSignal): Promise<SeenTable>;
  /** The visible tables, in the order of their names. */
  list(principal: Principal, signal: AbortSignal): AsyncIterable<SeenTable>;
  /** PERMISSION_DENIED, audited, unless the action is permitted; `purpose` tells the caller what it is needed for. */
  require(principal: Principal, seen: SeenTable, action: TableAction, purpose?: string): void;
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
  readonly log: Pick<Log, 'error'>;
  readonly now: () => number;
  /** Rises whenever something changed that decisions may rest on. */
  readonly changes: () => number;
}

/** One comparison of a running stream's decision with what would be decided now. */
interface Recheck {
  readonly at: number;
  readonly changes: number;
  readonly done: Promise<void>;
}

// How often a running stream asks whether the decision still holds where nothing is known to have changed; the promise is 5 seconds.
const recheckMs = 1_000;
const suggestionsMax = 5;
// These say that the answer is not known yet, and are the same whether or not there is such a table.
const passingCodes: ReadonlySet<ErrorCode> = new Set(['CANCELLED', 'DEADLINE_EXCEEDED', 'UNAVAILABLE']);

type DecisionAction = (AuditRecord & { readonly kind: 'decision' })['action'];
type Outcome = (AuditRecord & { readonly kind: 'decision' })['outcome'];
type Grounds = ReturnType<typeof auditOfDecision>;

export function createGate(options: GateOptions): Gate {
  const { authenticator, policies, catalog, facts: source, auditor, log, now, changes } = options;
  const rechecks = new WeakMap<SeenTable, Recheck>();

  const recordOutcome = (
    principal: Principal,
    table: string | null,
    action: DecisionAction,
    outcome: Outcome,
    grounds: Partial<Grounds> = {},
  ): void => {
    const { policyVersion = policies.current.version, policyDigest = null, determinedBy = [] } = grounds;
    auditor.record({
      kind: 'decision',
      ...who(principal),
      table,
      policyVersion,
      policyDigest,
      determinedBy,
      action,
      outcome,
    });
  };

  const record = (principal: Principal, table: string, action: TableAction, decision: TableDecision): void =>
    recordOutcome(
      principal,
      table,
      action,
      decision.actions.has(action) ? 'allowed' : 'denied',
      auditOfDecision(decision),
    );

  /** What cannot be decided is denied, and is on record like any other denial. */
  const decide = async (principal: Principal, table: Table, action: DecisionAction): Promise<SeenTable> => {
    try {
      const facts = await source.ofTable(table);
      return { table, facts, decision: await policies.decide(principal, facts) };
    } catch (error) {
      recordOutcome(principal, formatTable(table.identifier), action, codeOf(error));
      throw error;
    }
  };

  const decideNamespace = (
    principal: Principal,
    namespace: Namespace,
    facts: readonly NamespaceFacts[],
    wanted: { readonly table: string | null; readonly action: 'write' | 'administer' },
  ): ReadonlySet<string> => {
    try {
      const { actions, determinedBy } = policies.decideNamespace(principal, namespace, facts);
      const outcome = actions.has(wanted.action) ? 'allowed' : 'denied';
      recordOutcome(principal, wanted.table, wanted.action, outcome, { determinedBy });
      return actions;
    } catch (error) {
      recordOutcome(principal, wanted.table, wanted.action, codeOf(error));
      throw error;
    }
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
      return await decide(principal, await catalog.loadTable(identifier, signal), 'list');
    } catch (error) {
      if (isServiceError(error) && !signal.aborted) return null;
      throw error;
    }
  };

  /** Null also where the metadata cannot be read: who may see the table depends on it, so nobody is told that there is one. */
  const load = async (
    principal: Principal,
    identifier: TableIdentifier,
    action: TableAction,
    signal: AbortSignal,
  ): Promise<Table | null> => {
    try {
      return await catalog.loadTable(identifier, signal);
    } catch (error) {
      const code = codeOf(error);
      if (signal.aborted || passingCodes.has(code)) throw error;
      if (!(await catalog.tableExists(identifier))) return null;
      const table = formatTable(identifier);
      log.error(
        'the metadata of a table cannot be read; it is hidden',
        { table, code, principal: principal.name },
        error,
      );
      recordOutcome(principal, table, action, code);
      return null;
    }
  };

  /** The table of this uuid, wherever it is called now; null where it is gone. */
  const decideAgain = async (principal: Principal, uuid: TableUuid, signal: AbortSignal): Promise<SeenTable | null> => {
    const stored = await catalog.store.tableByUuid(uuid);
    const table = stored === null ? null : await load(principal, stored.identifier, 'readTable', signal);
    return table === null || table.metadata.tableUuid !== uuid ? null : decide(principal, table, 'readTable');
  };

  const requireUnchanged = async (principal: Principal, seen: SeenTable, signal: AbortSignal): Promise<void> => {
    const again = await decideAgain(principal, seen.facts.uuid, signal);
    if (again?.decision.digest !== seen.decision.digest) {
      throw new ServiceError('REVOKED', 'what policy permits on this table changed meanwhile: begin again');
    }
  };

  const gate: Gate = {
    auditor,

    authenticate: (token, signal) => authenticator.authenticate(token, signal),

    async see(principal, identifier, signal) {
      const table = await load(principal, identifier, 'discover', signal);
      const seen = table === null ? null : await decide(principal, table, 'discover');
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

    require(principal, seen, action, purpose) {
      record(principal, formatTable(seen.table.identifier), action, seen.decision);
      if (seen.decision.actions.has(action)) return;
      throw new ServiceError(
        'PERMISSION_DENIED',
        `${action} on ${formatTable(seen.table.identifier)} is not permitted to ${principal.name}${purpose === undefined ? '' : `: ${purpose}`}`,
      );
    },

    async requireCreate(principal, identifier) {
      const { namespace } = identifier;
      const facts = await source.ofNamespace(namespace);
      const table = formatTable(identifier);
      const permitted = decideNamespace(principal, namespace, facts, { table, action: 'write' });
      const name = formatNamespace(namespace);
      if (facts.length < namespace.length || permitted.size === 0) {
        throw new ServiceError('NOT_FOUND', `there is no namespace ${name}`);
      }
      if (permitted.has('write')) return;
      throw new ServiceError(
        'PERMISSION_DENIED',
        `write on the namespace ${name} is not permitted to ${principal.name}`,
      );
    },

    async requireAdministrator(token, signal) {
      const principal = await authenticator.authenticate(token, signal);
      // The catalog itself is the namespace that holds all others; only a permit for any resource reaches it.
      if (decideNamespace(principal, [], [], { table: null, action: 'administer' }).has('administer')) return;
      throw new ServiceError('PERMISSION_DENIED', `administer is not permitted to ${principal.name}`);
    },

    async recheck(principal, seen, signal) {
      authenticator.recheck(principal);
      if (seen === null) return;
      let last = rechecks.get(seen);
      const count = changes();
      if (last === undefined || last.changes !== count || now() - last.at >= recheckMs) {
        last = { at: now(), changes: count, done: requireUnchanged(principal, seen, signal) };
        rechecks.set(seen, last);
      }
      // Also where another one asked: no batch goes out while it is not known.
      await last.done;
    },
  };
  return gate;
}

const codeOf = (error: unknown): ErrorCode => (isServiceError(error) ? error.code : 'INTERNAL');

/** The caller's part of an audit record. */
export const who = (principal: Principal) => ({
  principal: principal.name,
  tokenId: principal.tokenId,
  workload: principal.workload,
});
