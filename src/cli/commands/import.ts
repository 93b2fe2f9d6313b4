import { userInfo } from 'node:os';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Table } from '../../catalog/catalog-types.ts';
import { currentSchemaOf } from '../../catalog/metadata/time-travel.ts';
import { parsePrimitiveType } from '../../catalog/schema/type-text.ts';
import type { PrimitiveType, Schema } from '../../catalog/schema/types.ts';
import { isServiceError, ServiceError } from '../../core/errors.ts';
import { formatTable, type Namespace, parseTableIdentifier, type TableIdentifier } from '../../core/identifier.ts';
import type { Batch } from '../../scan/arrow/column.ts';
import { arrowSchemaOf } from '../../scan/arrow/iceberg.ts';
import type { Embedded } from '../../server/embedded.ts';
import { openLocalStore } from '../../storage/local.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import { ingest } from '../../write/ingest.ts';
import { bindPolicyNames } from '../bind-policies.ts';
import { type EmbeddedOptions, withDataDir, withEmbedded } from '../embedded-command.ts';
import { UsageError } from '../exit-codes.ts';
import { partitionsAs } from '../import/partitions.ts';
import { inspectSource, type Source, type SourceOptions } from '../import/sources.ts';
import { unifyColumns } from '../import/unify.ts';
import { interruptSignal } from '../interrupt.ts';
import { collect, collectPairs } from '../options.ts';
import { printResult } from '../output.ts';
import { openProgress, type Progress } from '../progress.ts';

interface Options extends EmbeddedOptions {
  readonly partitionBy?: readonly string[];
  readonly mode: 'append' | 'overwrite';
  readonly format?: 'parquet' | 'csv';
  readonly delimiter?: string;
  readonly type?: ReadonlyMap<string, string>;
}

export function define(command: Command): void {
  withDataDir(command)
    .usage('[options] <file...> <table>')
    .argument('<files-and-table...>', 'Parquet or CSV files, then the table')
    .option(
      '--partition-by <transform>',
      "partition a new table, such as 'month(date)'; may come several times",
      collect,
    )
    .addOption(
      new Option('--mode <mode>', 'add to the rows of a table that exists, or replace them')
        .choices(['append', 'overwrite'])
        .default('append'),
    )
    .addOption(
      new Option('--format <format>', 'what the files are (default: as they look)').choices(['parquet', 'csv']),
    )
    .option('--delimiter <text>', 'CSV: what stands between fields (default: a comma, a tab in .tsv)', parseDelimiter)
    .option('--type <column=type>', "CSV: a column's type, instead of a guess; may come several times", collectPairs)
    .addHelpText(
      'after',
      `
All files go in as one commit: all of their rows or none. Namespace and table are created where they are missing. CSV files begin
with a line of column names; an empty field is null; types are guessed from the first 10,000 rows of a new table.

Examples:
  headrace import flights-2026-*.parquet bronze.flights --partition-by 'month(date)'
  headrace import passengers.csv bronze.passengers --type zip=string`,
    )
    .action((words: readonly string[], options: Options) => importFiles(words, options));
}

function parseDelimiter(text: string): string {
  const delimiter = text === '\\t' ? '\t' : text;
  if (delimiter === '' || /["\r\n]/.test(delimiter))
    throw new InvalidArgumentError('Write a character such as ; or \\t.');
  return delimiter;
}

async function importFiles(words: readonly string[], options: Options): Promise<void> {
  const files = words.slice(0, -1);
  if (files.length === 0)
    throw new UsageError('import needs at least one file, and then the table: import FILE… TABLE');
  const identifier = parseTableIdentifier(words.at(-1)!);
  const types = new Map(
    [...(options.type ?? [])].map(([name, type]): [string, PrimitiveType] => [name, parsePrimitiveType(type)]),
  );
  await withEmbedded(options, 'create', async (embedded) => {
    const { limits } = embedded.config;
    const signal = interruptSignal();
    await using local = openLocalStore();
    const sourceOptions: SourceOptions = {
      format: options.format ?? null,
      delimiter: options.delimiter ?? null,
      types,
      limits,
      signal,
    };
    const sources: Source[] = [];
    for (const file of files) sources.push(await inspectSource(file, local, sourceOptions));
    const existing = await loadTable(identifier, embedded, signal);
    if (existing !== null) requireAsItIs(existing, options);
    const schema = existing === null ? unifyColumns(sources.map(columnsOf)) : currentSchemaOf(existing.metadata);
    const result = await load({ identifier, existing, schema, sources, options, embedded, local, signal });
    if (existing === null) await bindPolicyNames(embedded);
    const table = formatTable(identifier);
    await printResult(
      options.json === true,
      {
        table,
        created: existing === null,
        snapshot_id: result.snapshotId,
        rows: result.rows,
        files: result.files,
      },
      [
        `imported ${result.rows.toLocaleString('en')} rows into ${table}: ${result.files} ${result.files === 1 ? 'file' : 'files'}, snapshot ${result.snapshotId}`,
      ],
    );
  });
}

const columnsOf = (source: Source) => ({ path: source.path, fields: source.fields(), inferred: source.inferred });

async function loadTable(
  identifier: TableIdentifier,
  { catalog }: Embedded,
  signal: AbortSignal,
): Promise<Table | null> {
  return (await catalog.tableExists(identifier)) ? await catalog.loadTable(identifier, signal) : null;
}

/** What only a new table takes must not be dropped in silence. */
function requireAsItIs({ identifier, metadata }: Table, { partitionBy, type }: Options): void {
  const name = formatTable(identifier);
  if (partitionBy !== undefined && !partitionsAs(metadata, partitionBy)) {
    throw new ServiceError(
      'INVALID_REQUEST',
      `${name} exists and is partitioned otherwise: change that with alter ${name} partition …`,
    );
  }
  if (type !== undefined)
    throw new ServiceError('INVALID_REQUEST', `${name} exists and has its types: leave out --type`);
}

interface LoadInput {
  readonly identifier: TableIdentifier;
  readonly existing: Table | null;
  readonly schema: Schema;
  readonly sources: readonly Source[];
  readonly options: Options;
  readonly embedded: Embedded;
  readonly local: ObjectStore;
  readonly signal: AbortSignal;
}

async function load(input: LoadInput) {
  const { identifier, existing, schema, options, embedded, signal } = input;
  const { catalog, footers, config } = embedded;
  const created = existing === null ? await createNamespaces(identifier.namespace, embedded) : [];
  const progress = openProgress('importing');
  try {
    const request = {
      table: identifier,
      mode: existing === null ? ('create' as const) : options.mode,
      overwriteFilter: null,
      partitionBy: existing === null ? (options.partitionBy ?? []) : [],
      formatVersion: null,
      branch: 'main',
      idempotencyKey: null,
    };
    return await ingest(
      {
        request,
        overwriteFilter: null,
        schema: arrowSchemaOf(schema),
        batches: allRows(input, progress),
        admit: () => {},
        principal: userInfo().username,
        digest: () => '',
      },
      { catalog, footers, limits: config.limits, now: Date.now },
      signal,
    );
  } catch (error) {
    await removeNamespaces(created, embedded);
    throw error;
  } finally {
    progress.end();
  }
}

/** Makes the namespaces that are missing, from the outermost inwards, and gives those that it made. */
async function createNamespaces(namespace: Namespace, { catalog }: Embedded): Promise<readonly Namespace[]> {
  const created: Namespace[] = [];
  for (let depth = 1; depth <= namespace.length; depth++) {
    const outer = namespace.slice(0, depth);
    if (await catalog.namespaceExists(outer)) continue;
    try {
      await catalog.createNamespace(outer);
      created.push(outer);
    } catch (error) {
      if (!isServiceError(error, 'ALREADY_EXISTS')) throw error;
    }
  }
  return created;
}

/** A refused import leaves no trace; a namespace that somebody else uses by now stays. */
async function removeNamespaces(created: readonly Namespace[], { catalog }: Embedded): Promise<void> {
  for (const namespace of [...created].reverse()) await catalog.dropNamespace(namespace).catch(() => {});
}

async function* allRows({ sources, schema, local }: LoadInput, progress: Progress): AsyncGenerator<Batch> {
  const total = sources.reduce((bytes, source) => bytes + source.bytes, 0);
  let rows = 0;
  let done = 0;
  const counted: ObjectStore = {
    ...storeMethods(local),
    read: async (location, range, signal, identity) => {
      const bytes = await local.read(location, range, signal, identity);
      done += bytes.length;
      progress.update({ done, total, rows });
      return bytes;
    },
  };
  for (const source of sources) {
    for await (const batch of source.read(schema, counted)) {
      yield batch;
      rows += batch.rows;
      progress.update({ done, total, rows });
    }
  }
}

/** The store's methods, bound, so that one of them can be replaced. */
const storeMethods = (store: ObjectStore): ObjectStore => ({
  stat: (...args) => store.stat(...args),
  read: (...args) => store.read(...args),
  readAll: (...args) => store.readAll(...args),
  create: (...args) => store.create(...args),
  list: (...args) => store.list(...args),
  delete: (...args) => store.delete(...args),
});
