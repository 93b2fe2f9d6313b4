import { ServiceError } from './errors.ts';

/** A table's or namespace's place in the catalog. No part is empty or holds a dot. */
export type Namespace = readonly string[];
export interface TableIdentifier {
  readonly namespace: Namespace;
  readonly name: string;
}

const partCharsMax = 255;
// Names become path segments and Cedar ids, so control characters, separators and quotes stay out.
const partPattern = /^[^\p{Cc}./\\"'*?]+$/u;

function checkPart(part: string, whole: string): string {
  if (part.length > partCharsMax || !partPattern.test(part)) {
    throw new ServiceError(
      'INVALID_REQUEST',
      `${JSON.stringify(whole)}: each part of a name is 1 to ${partCharsMax} characters without dots, slashes, quotes, * or ?`,
    );
  }
  return part;
}

/** Reads `silver.flights`; the last part is the table. Throws INVALID_REQUEST for fewer than two parts. */
export function parseTableIdentifier(text: string): TableIdentifier {
  const parts = text.split('.');
  if (parts.length < 2) {
    throw new ServiceError('INVALID_REQUEST', `${JSON.stringify(text)} is not a table name: write namespace.table`);
  }
  return tableIdentifier(parts);
}

/** Checks the parts of a Flight descriptor path or a REST path: [namespace…, table]. */
export function tableIdentifier(parts: readonly string[]): TableIdentifier {
  const whole = parts.join('.');
  if (parts.length < 2) {
    throw new ServiceError('INVALID_REQUEST', `${JSON.stringify(whole)} is not a table name: write namespace.table`);
  }
  for (const part of parts) checkPart(part, whole);
  return { namespace: parts.slice(0, -1), name: parts[parts.length - 1]! };
}

export function parseNamespace(text: string): Namespace {
  const parts = text.split('.');
  for (const part of parts) checkPart(part, text);
  return parts;
}

export const formatNamespace = (namespace: Namespace): string => namespace.join('.');
export const formatTable = (table: TableIdentifier): string => [...table.namespace, table.name].join('.');
