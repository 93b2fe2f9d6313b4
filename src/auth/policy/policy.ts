import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';
import type { Mask } from '../../core/access.ts';
import type { PolicyFilter } from '../../core/expression/parse.ts';
import type { PolicyAction } from './schema.ts';

/** A set that passed every check; bindings to field ids are kept apart, because they outlive it. */
export interface PolicySet {
  /** Equal versions hold equal policies. */
  readonly version: string;
  readonly policies: readonly Policy[];
  /** `Type::id` of every principal that any policy names: no other one makes a difference. */
  readonly principals: ReadonlySet<string>;
  /** Claims that any filter names. */
  readonly claims: readonly string[];
}

export interface Policy {
  /** `@id`, or the file's name and the place in it (`pii.cedar#1`). */
  readonly id: string;
  readonly file: string;
  readonly line: number;
  readonly text: string;
  /** Of the text: an edited policy has another one, and so binds its names afresh. */
  readonly digest: string;
  readonly effect: 'permit' | 'forbid';
  readonly actions: ReadonlySet<PolicyAction>;
  readonly principal: PrincipalScope;
  readonly resource: ResourceScope;
  readonly json: PolicyJson;
  /** What Cedar reads where no name has to be bound: the text, or the JSON where its scope was rewritten. */
  readonly source: string | PolicyJson;
  /** The columns it names, each once. */
  readonly columns: readonly ColumnReference[];
  readonly mask: Mask | null;
  readonly filter: PolicyFilter | null;
  /** Paths within the table, as core/column-path.ts writes them. */
  readonly filterColumns: readonly string[];
}

export interface EntityName {
  readonly type: string;
  readonly id: string;
}

/** `type` is null where any is meant; `within` is what it must be or be in. */
export interface PrincipalScope {
  readonly type: string | null;
  readonly within: EntityName | null;
}
export type ResourceScope = PrincipalScope;

export interface ColumnReference {
  /** As the policy writes it: `silver.flights.home.zip`. */
  readonly path: string;
  readonly parts: readonly string[];
  /** Whether fewer columns behind the path could let more through: then it must resolve, or the policy must not permit. */
  readonly narrows: boolean;
}

export const entityKey = ({ type, id }: EntityName): string => `${type}::${id}`;
