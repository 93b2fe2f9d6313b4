import { type BoundPolicies, bindPolicies } from '../../src/auth/policy/bindings.ts';
import { decideTable } from '../../src/auth/policy/decide.ts';
import { loadPolicies } from '../../src/auth/policy/load.ts';
import { formatMask } from '../../src/auth/policy/mask.ts';
import { InvalidPolicyError } from '../../src/auth/policy/problems.ts';
import type { ColumnFacts, Principal, TableDecision, TableFacts } from '../../src/core/access.ts';
import { parseTableIdentifier } from '../../src/core/identifier.ts';
import { fieldId, tableUuid } from '../../src/core/ids.ts';

export type ColumnSample = Partial<Omit<ColumnFacts, 'fieldId' | 'path' | 'parent'>>;

/** Columns by path; field ids count from 1 unless the sample's key says `7:path`. */
export function facts(
  name: string,
  columns: Readonly<Record<string, ColumnSample>>,
  more: Partial<Pick<TableFacts, 'uuid' | 'tags' | 'layer' | 'namespaces'>> = {},
): TableFacts {
  const identifier = parseTableIdentifier(name);
  const rows = Object.entries(columns).map(([key, sample], at) => {
    const [, id, path] = /^(?:(\d+):)?(.*)$/.exec(key)!;
    return { id: id === undefined ? at + 1 : Number(id), path: path!, sample };
  });
  return {
    uuid: tableUuid(`uuid-of-${name}`),
    identifier,
    layer: null,
    tags: [],
    namespaces: identifier.namespace.map((part) => ({ name: part, layer: null, tags: [] })),
    columns: rows.map(({ id, path, sample }) => {
      const parent = rows.find(
        (other) => path.startsWith(`${other.path}.`) && !path.slice(other.path.length + 1).includes('.'),
      );
      return {
        fieldId: fieldId(id),
        path,
        parent: parent === undefined ? null : fieldId(parent.id),
        current: true,
        leaf: !rows.some((other) => other.path.startsWith(`${path}.`)),
        tags: [],
        ...sample,
      };
    }),
    ...more,
  };
}

export const user = (name: string, teams: readonly string[] = [], more: Partial<Principal> = {}): Principal => ({
  name,
  teams,
  workload: null,
  engine: null,
  claims: new Map(),
  tokenId: null,
  issuedAt: 0,
  expiresAt: Number.MAX_SAFE_INTEGER,
  ...more,
});

export const load = (text: string, name = 'test.cedar') => loadPolicies([{ name, text }]);

export const bind = (text: string, tables: readonly TableFacts[]): BoundPolicies & ReturnType<typeof bindPolicies> =>
  bindPolicies(load(text), tables, new Map());

export const decide = (text: string, principal: Principal, table: TableFacts): TableDecision =>
  decideTable(bind(text, [table]), principal, table);

/** `{ path: 'raw' | mask }`, what is excluded left out. */
export function shown(decision: TableDecision, table: TableFacts): Record<string, string> {
  return Object.fromEntries(
    table.columns.flatMap(({ fieldId: id, path }) => {
      const access = decision.columns.get(id);
      return access === undefined ? [] : [[path, access.kind === 'raw' ? 'raw' : formatMask(access.mask)]];
    }),
  );
}

/** The reasons for which a set is refused; empty where it is accepted. */
export function refusals(text: string, name = 'test.cedar'): string[] {
  try {
    load(text, name);
    return [];
  } catch (error) {
    if (error instanceof InvalidPolicyError)
      return error.problems.map(({ file, line, reason }) => `${file}:${line}: ${reason}`);
    throw error;
  }
}

/** Everyone may read everything, for policies that take away. */
export const everything = `permit (principal, action in [Action::"readTable", Action::"readColumn"], resource);\n`;
