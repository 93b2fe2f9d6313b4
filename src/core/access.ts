import type { Expression } from './expression.ts';
import type { TableIdentifier } from './identifier.ts';
import type { FieldId, TableUuid } from './ids.ts';

/** Who calls, as the token says and nothing else. */
export interface Principal {
  /** The token's `sub`. */
  readonly name: string;
  readonly teams: readonly string[];
  readonly workload: string | null;
  readonly engine: string | null;
  /** All other claims, for filters that name `principal.claims.X`. */
  readonly claims: ReadonlyMap<string, unknown>;
  /** The token's `jti`, by which it can be revoked; null for a token without one. */
  readonly tokenId: string | null;
  /** Seconds since the epoch, 0 for a token that does not say: what a revocation of all the principal's tokens compares with. */
  readonly issuedAt: number;
  /** Seconds since the epoch. */
  readonly expiresAt: number;
}

/** What policy may know of a table. Names are those of the current schema, or the last schema that had the field. */
export interface TableFacts {
  readonly uuid: TableUuid;
  readonly identifier: TableIdentifier;
  readonly layer: string | null;
  readonly tags: readonly string[];
  /** From the outermost namespace inwards. */
  readonly namespaces: readonly NamespaceFacts[];
  /** Every field of every schema of the table, nested ones too, parents before children. */
  readonly columns: readonly ColumnFacts[];
}

export interface NamespaceFacts {
  readonly name: string;
  readonly layer: string | null;
  readonly tags: readonly string[];
}

export interface ColumnFacts {
  readonly fieldId: FieldId;
  /** Dotted, parts quoted as in core/column-path.ts, without the table's name. */
  readonly path: string;
  readonly parent: FieldId | null;
  /** In the current schema, as opposed to dropped. */
  readonly current: boolean;
  /** Whether the field has no children of its own. */
  readonly leaf: boolean;
  readonly tags: readonly string[];
}

/** Iceberg's read-restriction actions, with our transform argument. */
export type Mask =
  | { readonly kind: 'truncate-to-month' }
  | { readonly kind: 'truncate-to-year' }
  | { readonly kind: 'show-first-4' }
  | { readonly kind: 'show-last-4' }
  | { readonly kind: 'mask-alphanum' }
  | { readonly kind: 'apply-transform'; readonly transform: string }
  | { readonly kind: 'sha-256-global' }
  | { readonly kind: 'sha-256-query-local' }
  | { readonly kind: 'mask-to-default' }
  | { readonly kind: 'replace-with-null' };

export type ColumnAccess = { readonly kind: 'raw' } | { readonly kind: 'masked'; readonly mask: Mask };

/** Table actions other than reading, as `design.md` names them in Cedar. */
export type TableAction =
  | 'discover'
  | 'readTable'
  | 'readThroughEngine'
  | 'write'
  | 'maintain'
  | 'promote'
  | 'lease'
  | 'administer';

/** All that policy says about one principal and one table: plain data, the same for every snapshot. */
export interface TableDecision {
  readonly principal: string;
  readonly table: TableUuid;
  /** `discover` or any other table action is permitted; otherwise the table does not exist for the principal. */
  readonly visible: boolean;
  readonly actions: ReadonlySet<TableAction>;
  /** The rows admitted, on raw values; null = all of them. Terms are field ids, claims are already literals. */
  readonly rowFilter: Expression | null;
  /** Leaves and containers by field id; a field that is absent is excluded and does not exist for the principal. */
  readonly columns: ReadonlyMap<FieldId, ColumnAccess>;
  /** Any row filter, mask or excluded field: such a principal gets no paths, statistics or counts. */
  readonly restricted: boolean;
  readonly policyVersion: string;
  /** Stable over restarts: equal digests mean equal decisions. */
  readonly digest: string;
  /** Ids of the policies that determined the decision: its audit record. */
  readonly determinedBy: readonly string[];
}
