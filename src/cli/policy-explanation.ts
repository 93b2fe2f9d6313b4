import type { ExplainedColumn, Explanation } from '../auth/policy/explain.ts';
import { formatMask } from '../auth/policy/mask.ts';
import type { Principal, TableFacts } from '../core/access.ts';
import { parseColumnPath } from '../core/column-path.ts';
import { formatFilter } from '../core/expression/format.ts';
import type { Expression } from '../core/expression.ts';
import { formatTable } from '../core/identifier.ts';
import type { FieldId } from '../core/ids.ts';
import { alignTable } from './output.ts';

interface Who {
  readonly teams?: readonly string[];
  readonly workload?: string;
  readonly engine?: string;
  readonly claim?: Readonly<Record<string, unknown>>;
}

/** Somebody with a token that says this. */
export const explainedPrincipal = (name: string, { teams = [], workload, engine, claim = {} }: Who): Principal => ({
  name,
  teams: [...teams].sort(),
  workload: workload ?? null,
  engine: engine ?? null,
  claims: new Map(Object.entries(claim)),
  tokenId: null,
  issuedAt: 0,
  expiresAt: Number.MAX_SAFE_INTEGER,
});

export function explanationJson(principal: Principal, facts: TableFacts, explanation: Explanation): object {
  const { decision } = explanation;
  return {
    principal: principal.name,
    table: formatTable(facts.identifier),
    visible: decision.visible,
    restricted: decision.restricted,
    actions: explanation.actions.map(({ action, permitted, by }) => ({ action, permitted, by })),
    row_filter: textOf(decision.rowFilter, facts),
    row_filters: explanation.rowFilters.map(({ policy, filter }) => ({ policy, filter: textOf(filter, facts) })),
    columns: explanation.columns.map((column) => ({
      column: column.path,
      field_id: column.fieldId,
      current: column.current,
      access: accessText(column),
      permitted_by: column.permittedBy,
      forbidden_by: column.forbiddenBy,
    })),
    policy_version: decision.policyVersion,
    policy_digest: decision.digest,
  };
}

export function explanationLines(principal: Principal, facts: TableFacts, explanation: Explanation): string[] {
  const { decision, actions, rowFilters, columns } = explanation;
  const table = formatTable(facts.identifier);
  if (!decision.visible) return [`${table} does not exist for ${principal.name}: no policy permits any action on it`];
  const reads = decision.actions.has('readTable');
  const rows = decision.rowFilter === null ? 'all rows' : `rows where ${textOf(decision.rowFilter, facts)}`;
  return [
    reads
      ? `${principal.name} reads ${table}: ${rows}`
      : `${principal.name} sees that ${table} exists and may not read it`,
    ...rowFilters.map(
      ({ policy, filter }) => `  ${policy} admits ${filter === null ? 'all rows' : textOf(filter, facts)}`,
    ),
    '',
    ...alignTable(
      ['ACTION', 'PERMITTED', 'BECAUSE OF'],
      actions.map(({ action, permitted, by }) => [action, permitted ? 'yes' : 'no', by.join(', ') || null]),
    ),
    '',
    ...alignTable(
      ['COLUMN', 'SHOWN AS', 'PERMITTED BY', 'FORBIDDEN BY'],
      columns.map((column) => [
        column.current ? column.path : `${column.path} (dropped)`,
        accessText(column),
        column.permittedBy.join(', ') || null,
        column.forbiddenBy.join(', ') || null,
      ]),
    ),
  ];
}

const accessText = ({ access }: ExplainedColumn): string =>
  access.kind === 'masked' ? formatMask(access.mask) : access.kind;

function textOf(filter: Expression | null, facts: TableFacts): string | null {
  if (filter === null) return null;
  const paths = new Map<FieldId, string>(facts.columns.map(({ fieldId, path }) => [fieldId, path]));
  return formatFilter(filter, {
    pathOf: (id) => {
      const path = paths.get(id);
      return path === undefined ? null : parseColumnPath(path);
    },
  });
}
