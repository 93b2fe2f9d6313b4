import type { Command } from 'commander';
import { currentSchemaOf } from '../../catalog/metadata/time-travel.ts';
import type { TableMetadata } from '../../catalog/metadata/types.ts';
import { partitionSpecToJson } from '../../catalog/partition/spec.ts';
import { formatTransform } from '../../catalog/partition/transform.ts';
import { schemaToJson } from '../../catalog/schema/json.ts';
import { indexSchema } from '../../catalog/schema/lookup.ts';
import { describeType } from '../../catalog/schema/type-text.ts';
import { formatColumnPath } from '../../core/column-path.ts';
import { formatTable } from '../../core/identifier.ts';
import { buildChange } from '../alter/build-change.ts';
import { type ChangeOptions, changeForms, parseChange } from '../alter/parse-change.ts';
import { bindPolicyNames } from '../bind-policies.ts';
import { loadNamedTable } from '../catalog-names.ts';
import { type EmbeddedOptions, withDataDir, withEmbedded } from '../embedded-command.ts';
import { interruptSignal } from '../interrupt.ts';
import { alignTable, printResult } from '../output.ts';

type Options = EmbeddedOptions & ChangeOptions;

export function define(command: Command): void {
  withDataDir(command)
    .argument('<table>')
    .argument('<change...>', 'what to change, see below')
    .option('--first', 'add or move: as the first column')
    .option('--after <column>', 'add or move: after this column')
    .option('--before <column>', 'add or move: before this column')
    .option('--doc <text>', 'add: what the column holds')
    .option('--required', 'add: without nulls; only to a table without snapshots')
    .option('--name <name>', "partition add: the partition field's name")
    .addHelpText(
      'after',
      `
Changes:
${changeForms.map((form) => `  alter TABLE ${form}`).join('\n')}

A column is a path (home.zip; lists hold element, maps value); a part that holds a dot stands in double quotes. Types are
Iceberg's: int, long, decimal(9, 2), list<string>, struct<a: int, b: date>. Only int to long, float to double and decimals to more
digits widen.

Examples:
  headrace alter bronze.flights rename delay delay_minutes
  headrace alter bronze.flights add home.city string --after zip
  headrace alter bronze.flights widen distance long
  headrace alter bronze.flights partition add 'day(date)'`,
    )
    .action((table: string, words: readonly string[], options: Options) => alter(table, words, options));
}

async function alter(name: string, words: readonly string[], options: Options): Promise<void> {
  const { json = false, dataDir: _dataDir, config: _config, ...given } = options;
  const change = parseChange(words, given);
  await withEmbedded(options, 'refuse', async (embedded) => {
    const { catalog } = embedded;
    const signal = interruptSignal();
    const { identifier } = await loadNamedTable(name, catalog, signal);
    // Policies name columns as they are called now; once looked up, they follow the column.
    if (change.kind === 'schema') await bindPolicyNames(embedded);
    const { metadata } = await catalog.retryCommit(identifier, async (table) => buildChange(table, change), { signal });
    await printResult(json, describe(formatTable(identifier), metadata), lines(metadata, change.kind));
  });
}

function describe(table: string, metadata: TableMetadata): object {
  const spec = defaultSpec(metadata);
  return {
    table,
    schema_id: metadata.currentSchemaId,
    schema: schemaToJson(currentSchemaOf(metadata)),
    partition_spec: spec === undefined ? null : partitionSpecToJson(spec),
    properties: Object.fromEntries(metadata.properties),
  };
}

const defaultSpec = ({ partitionSpecs, defaultSpecId }: TableMetadata) =>
  partitionSpecs.find(({ specId }) => specId === defaultSpecId);

/** What was changed, as it is now. */
function lines(metadata: TableMetadata, kind: 'schema' | 'partition' | 'properties'): string[] {
  const index = indexSchema(currentSchemaOf(metadata));
  switch (kind) {
    case 'schema':
      return alignTable(
        ['COLUMN', 'TYPE', 'NULLS', 'ID'],
        index.entries.map(({ path, field }) => [
          formatColumnPath(path),
          describeType(field.type),
          field.required ? 'no' : 'yes',
          field.id,
        ]),
      );
    case 'partition': {
      const fields = defaultSpec(metadata)?.fields ?? [];
      if (fields.length === 0) return ['not partitioned'];
      return alignTable(
        ['FIELD', 'TRANSFORM', 'COLUMN'],
        fields.map(({ name, transform, sourceId }) => {
          const source = index.byId.get(sourceId);
          return [name, formatTransform(transform), source === undefined ? null : formatColumnPath(source.path)];
        }),
      );
    }
    case 'properties':
      return alignTable(['PROPERTY', 'VALUE'], [...metadata.properties]);
    default:
      return kind satisfies never;
  }
}
