import type { Catalog, Table } from '../catalog/catalog-types.ts';
import { currentSchemaOf } from '../catalog/metadata/time-travel.ts';
import { indexSchema } from '../catalog/schema/lookup.ts';
import type { TagTarget } from '../catalog/store/catalog-store.ts';
import { type ColumnPath, formatColumnPath, parseColumnPath } from '../core/column-path.ts';
import { isServiceError, ServiceError } from '../core/errors.ts';
import {
  formatNamespace,
  formatTable,
  type Namespace,
  parseTableIdentifier,
  tableIdentifier,
} from '../core/identifier.ts';
import { didYouMean } from '../core/nearest.ts';

/** Namespaces that a suggestion looks at. */
const namespacesMax = 1_000;

/** A table by its name. NOT_FOUND names the nearest one: the command line sees every name. */
export async function loadNamedTable(name: string, catalog: Catalog, signal: AbortSignal): Promise<Table> {
  const identifier = parseTableIdentifier(name);
  try {
    return await catalog.loadTable(identifier, signal);
  } catch (error) {
    if (!isServiceError(error, 'NOT_FOUND') || (await catalog.tableExists(identifier))) throw error;
    throw await noTable(name, catalog);
  }
}

export async function noTable(name: string, catalog: Catalog): Promise<ServiceError> {
  const hint = didYouMean(name, await tableNames(catalog));
  return new ServiceError('NOT_FOUND', `there is no table ${name}.${hint}`);
}

/** The error for a name that is neither a table nor a namespace. */
export async function nothingNamed(name: string, catalog: Catalog): Promise<ServiceError> {
  const hint = didYouMean(name, [...(await tableNames(catalog)), ...(await namespaceNames(catalog))]);
  return new ServiceError('NOT_FOUND', `there is no table or namespace ${name}.${hint}`);
}

const tableNames = async (catalog: Catalog): Promise<string[]> =>
  (await catalog.listTables(null)).map(({ identifier }) => formatTable(identifier));

async function namespaceNames(catalog: Catalog): Promise<string[]> {
  const found: string[] = [];
  const parents: (Namespace | null)[] = [null];
  for (let parent = parents.pop(); parent !== undefined && found.length < namespacesMax; parent = parents.pop()) {
    for (const namespace of await catalog.listNamespaces(parent)) {
      found.push(formatNamespace(namespace));
      parents.push(namespace);
    }
  }
  return found;
}

/** What a tag can be on, with the name in full. */
export interface NamedTarget {
  readonly target: TagTarget;
  readonly kind: 'namespace' | 'table' | 'column';
  readonly name: string;
}

/**
 * What `NAMESPACE`, `TABLE` or `TABLE.COLUMN` means: the longest prefix that is a table wins, what follows it is a column of its
 * current schema; where no table fits, the whole is a namespace. NOT_FOUND or UNKNOWN_COLUMN name the nearest.
 */
export async function resolveName(text: string, catalog: Catalog, signal: AbortSignal): Promise<NamedTarget> {
  const parts = parseColumnPath(text);
  const found = await longestTable(parts, catalog, signal);
  if (found !== null) {
    const { table, path } = found;
    const uuid = table.metadata.tableUuid;
    const name = formatTable(table.identifier);
    if (path.length === 0) return { target: { kind: 'table', uuid }, kind: 'table', name };
    const entry = indexSchema(currentSchemaOf(table.metadata)).find(path);
    if (entry !== undefined) {
      return {
        target: { kind: 'field', uuid, fieldId: entry.field.id },
        kind: 'column',
        name: `${name}.${formatColumnPath(path)}`,
      };
    }
  }
  if (await namespaceAt(parts, catalog)) {
    return { target: { kind: 'namespace', namespace: parts }, kind: 'namespace', name: formatNamespace(parts) };
  }
  if (found !== null) throw noColumn(found.table, found.path);
  throw await nothingNamed(text, catalog);
}

async function longestTable(
  parts: ColumnPath,
  catalog: Catalog,
  signal: AbortSignal,
): Promise<{ readonly table: Table; readonly path: ColumnPath } | null> {
  for (let length = parts.length; length >= 2; length--) {
    const prefix = parts.slice(0, length);
    if (!isIdentifier(prefix)) continue;
    const identifier = tableIdentifier(prefix);
    if (!(await catalog.tableExists(identifier))) continue;
    return { table: await catalog.loadTable(identifier, signal), path: parts.slice(length) };
  }
  return null;
}

/** Column names hold what names of tables cannot. */
function isIdentifier(parts: readonly string[]): boolean {
  try {
    tableIdentifier(parts);
    return true;
  } catch {
    return false;
  }
}

async function namespaceAt(parts: readonly string[], catalog: Catalog): Promise<boolean> {
  return (parts.length === 1 || isIdentifier(parts)) && (await catalog.namespaceExists(parts));
}

function noColumn(table: Table, path: ColumnPath): ServiceError {
  const columns = indexSchema(currentSchemaOf(table.metadata)).entries.map((entry) => formatColumnPath(entry.path));
  const name = formatColumnPath(path);
  return new ServiceError(
    'UNKNOWN_COLUMN',
    `${formatTable(table.identifier)} has no column ${name}.${didYouMean(name, columns)}`,
  );
}
