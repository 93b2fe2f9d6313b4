import { preparseSchema } from '@cedar-policy/cedar-wasm/nodejs';
import { ServiceError } from '../../core/errors.ts';

/**
 * The published vocabulary, in Cedar's own schema language. Every attribute is required, so that a policy may read one without
 * asking first whether it is there: a table without a layer has the layer "". A column has its table's layer, and a nested column
 * its containers' tags besides its own.
 */
export const cedarSchema = `
entity Team, Workload, Engine;
entity User in [Team, Workload, Engine];
entity Namespace in [Namespace] = { tags: Set<String>, layer: String };
entity Table in [Namespace] = { tags: Set<String>, layer: String };
entity Column in [Column, Table] = { tags: Set<String>, layer: String };

action discover, write, maintain, administer appliesTo { principal: User, resource: [Table, Namespace] };
action readTable, readThroughEngine, promote, lease appliesTo { principal: User, resource: Table };
action readColumn appliesTo { principal: User, resource: Column };
`.trimStart();

export const tableActions = [
  'discover',
  'readTable',
  'readThroughEngine',
  'write',
  'maintain',
  'promote',
  'lease',
  'administer',
] as const;
export const namespaceActions = ['discover', 'write', 'maintain', 'administer'] as const;
export const columnAction = 'readColumn';
export const allActions: readonly PolicyAction[] = [...tableActions, columnAction];

export type PolicyAction = (typeof tableActions)[number] | typeof columnAction;
export type NamespaceAction = (typeof namespaceActions)[number];

const schemaName = 'headrace';
let parsed = false;

/** The name under which Cedar holds the parsed schema in this thread. */
export function preparsedSchema(): string {
  if (!parsed) {
    const answer = preparseSchema(schemaName, cedarSchema);
    if (answer.type === 'failure') {
      throw new ServiceError('POLICY_UNAVAILABLE', 'the policy schema cannot be read', { cause: answer.errors });
    }
    parsed = true;
  }
  return schemaName;
}
