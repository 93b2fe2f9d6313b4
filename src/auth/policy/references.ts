import type { Expr, PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';
import { parseColumnPath } from '../../core/column-path.ts';
import type { FieldId } from '../../core/ids.ts';
import type { ColumnReference, EntityName, ResourceScope } from './policy.ts';

/** Cedar's own parser allows less. */
const depthMax = 200;
const tablePartsMin = 2;

type Node = Readonly<Record<string, unknown>>;
type Operands = { readonly left?: unknown; readonly right?: unknown; readonly arg?: unknown; readonly in?: unknown };

/** The columns that a policy names, and what it does that Headrace does not decide. */
export interface References {
  readonly columns: readonly ColumnReference[];
  readonly entities: readonly EntityName[];
  readonly problems: readonly string[];
}

/**
 * Finds every entity that a policy names. Column names may stand only where a rename or a container can be followed:
 * `resource ==`, `resource !=`, `resource in`, and `[…].contains(resource)`. Attributes and memberships are read of `principal`
 * and `resource` alone, because no other entity is passed to a decision (Cedar would skip a forbid that asks for one).
 */
export function findReferences(json: PolicyJson, scope: ResourceScope): References {
  const columns = new Map<string, ColumnReference>();
  const entities: EntityName[] = [];
  const problems = new Set<string>();

  const addColumn = (path: string, narrows: boolean): void => {
    const parts = columnParts(path);
    if (parts === null) problems.add(`Column::${JSON.stringify(path)} is not a column: write namespace.table.column`);
    else columns.set(path, { path, parts, narrows: narrows || columns.get(path)?.narrows === true });
  };
  if (scope.within?.type === 'Column') addColumn(scope.within.id, json.effect === 'forbid');

  const visit = (value: unknown, narrows: boolean, depth: number): void => {
    if (depth > depthMax) throw new RangeError('nested too deeply');
    if (Array.isArray(value)) for (const item of value) visit(item, narrows, depth + 1);
    if (!isNode(value)) return;
    const named = columnsCompared(value);
    if (named !== null) {
      for (const name of named) {
        entities.push(name);
        if (name.type === 'Column') addColumn(name.id, narrows);
      }
      return;
    }
    const literal = entityLiteral(value);
    if (literal !== null) {
      entities.push(literal);
      if (literal.type === 'Column') problems.add(misplacedColumn);
      return;
    }
    for (const operator of ['.', 'has', 'in', 'is', 'getTag', 'hasTag']) {
      if (operator in value && !isNode((value[operator] as Operands).left, 'Var')) problems.add(foreignEntity);
    }
    for (const child of Object.values(value)) visit(child, narrows, depth + 1);
  };
  for (const { kind, body } of json.conditions) {
    const narrows = json.effect === 'forbid' || kind === 'unless' || mayNegate(body);
    visit(body, narrows, 0);
  }
  return { columns: [...columns.values()], entities, problems: [...problems] };
}

const misplacedColumn =
  'a column may be named only as resource == Column::"…", resource in Column::"…" or [Column::"…"].contains(resource)';
const foreignEntity =
  'attributes and memberships can be read of principal and resource only, not of an entity named in the policy';

/**
 * The policy with each column it names replaced by field ids, which its entities carry at a decision. Naming a column means it and
 * all below it, so that equality becomes membership; a name without a field matches nothing.
 */
export function bindColumns(
  json: PolicyJson,
  scope: ResourceScope,
  fieldsOf: (path: string) => readonly FieldId[],
): PolicyJson {
  const members = (names: readonly EntityName[]): Expr =>
    ({
      in: {
        left: { Var: 'resource' },
        right: { Set: names.flatMap((name) => boundNames(name, fieldsOf)).map(literalOf) },
      },
    }) as Expr;
  const bind = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(bind);
    if (!isNode(value)) return value;
    const names = columnsCompared(value);
    if (names?.some((name) => name.type === 'Column'))
      return '!=' in value ? { '!': { arg: members(names) } } : members(names);
    return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, bind(child)]));
  };
  const conditions = json.conditions.map(({ kind, body }) => ({ kind, body: bind(body) as Expr }));
  if (scope.within?.type !== 'Column') return { ...json, conditions };
  return {
    ...json,
    resource: { op: 'All' },
    conditions: [{ kind: 'when', body: members([scope.within]) }, ...conditions],
  };
}

const boundNames = (name: EntityName, fieldsOf: (path: string) => readonly FieldId[]): EntityName[] =>
  name.type === 'Column' ? fieldsOf(name.id).map(columnName) : [name];

/** The entity of a bound column. */
export const columnName = (field: FieldId): EntityName => ({ type: 'Column', id: String(field) });

const literalOf = ({ type, id }: EntityName): Expr => ({ Value: { __entity: { type, id } } });

/** The entities that `resource` is compared with here, or null where this is no such comparison. */
function columnsCompared(node: Node): EntityName[] | null {
  for (const operator of ['==', '!=', 'in', 'contains']) {
    if (!(operator in node)) continue;
    const { left, right } = node[operator] as Operands;
    if (isResource(left) && operator !== 'contains') return entityLiterals(right);
    if (isResource(right) && operator !== 'in') return entityLiterals(left);
  }
  if ('is' in node && isResource((node.is as Operands).left)) {
    const { in: within } = node.is as Operands;
    // `resource is Column in X` keeps its shape; a column there is misplaced.
    return within === undefined ? [] : null;
  }
  return null;
}

function entityLiterals(value: unknown): EntityName[] | null {
  const items = isNode(value) && Array.isArray(value.Set) ? (value.Set as unknown[]) : [value];
  const names = items.map((item) => (isNode(item) ? entityLiteral(item) : null));
  return names.every((name) => name !== null) ? names : null;
}

function entityLiteral(node: Node): EntityName | null {
  const value = node.Value;
  const entity = isNode(value) ? value.__entity : undefined;
  return isNode(entity) ? { type: String(entity.type), id: String(entity.id) } : null;
}

const isResource = (value: unknown): boolean => isNode(value) && value.Var === 'resource';

function isNode(value: unknown, key?: string): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && (key === undefined || key in value);
}

/** Whether a condition can hold for more columns when a name in it stands for fewer. */
function mayNegate(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(mayNegate);
  if (!isNode(value)) return false;
  if ('!' in value || '!=' in value || 'if-then-else' in value) return true;
  if ('==' in value && columnsCompared(value) === null && entityLiteral(value) === null) {
    const { left, right } = value['=='] as Operands;
    // A comparison may be compared with false.
    if ([left, right].some((side) => isNode(side) && !('Var' in side) && !('.' in side) && !('Value' in side)))
      return true;
  }
  return Object.values(value).some(mayNegate);
}

function columnParts(path: string): readonly string[] | null {
  try {
    const parts = parseColumnPath(path);
    return parts.length > tablePartsMin ? parts : null;
  } catch {
    return null;
  }
}

/** Whether JSON, and so a rewritten policy, still says what the text does: integers beyond 2^53 lose digits. */
export function hasInexactNumber(value: unknown): boolean {
  if (typeof value === 'number') return !Number.isSafeInteger(value);
  return typeof value === 'object' && value !== null && Object.values(value).some(hasInexactNumber);
}
