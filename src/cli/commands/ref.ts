import { type Command, Option } from 'commander';
import type { BuiltCommit, Table } from '../../catalog/catalog-types.ts';
import { mainBranch } from '../../catalog/metadata/read.ts';
import { resolveSnapshot } from '../../catalog/metadata/time-travel.ts';
import { ServiceError } from '../../core/errors.ts';
import { formatTable } from '../../core/identifier.ts';
import { snapshotId } from '../../core/ids.ts';
import { didYouMean } from '../../core/nearest.ts';
import { loadNamedTable } from '../catalog-names.ts';
import { type EmbeddedOptions, withDataDir, withEmbedded } from '../embedded-command.ts';
import { UsageError } from '../exit-codes.ts';
import { interruptSignal } from '../interrupt.ts';
import { parseSnapshotId } from '../options.ts';
import { printResult } from '../output.ts';

interface Options extends EmbeddedOptions {
  readonly snapshot?: bigint;
  readonly tag?: boolean;
  readonly branch?: boolean;
}

export function define(command: Command): void {
  withDataDir(command)
    .argument('<table>')
    .argument('<create|drop>')
    .argument('<name>', 'the name of the tag or branch')
    .option('--snapshot <id>', 'what it points to (default: the current snapshot)', parseSnapshotId)
    .addOption(new Option('--tag', 'create a tag, which stays (the default)').conflicts('branch'))
    .addOption(new Option('--branch', 'create a branch, which can be written to'))
    .addHelpText(
      'after',
      `
Examples:
  headrace ref silver.flights create training-2026-07
  headrace ref silver.flights create trial --branch --snapshot 4350987234098723409
  headrace ref silver.flights drop trial`,
    )
    .action((table: string, verb: string, name: string, options: Options) => change(table, verb, name, options));
}

async function change(table: string, verb: string, ref: string, options: Options): Promise<void> {
  if (verb !== 'create' && verb !== 'drop')
    throw new UsageError(`ref creates or drops, it does not ${JSON.stringify(verb)}`);
  if (verb === 'drop' && (options.snapshot !== undefined || options.branch === true || options.tag === true)) {
    throw new UsageError('ref … drop takes a name only');
  }
  if (ref === '' || ref.length > 255 || /\p{Cc}/u.test(ref)) {
    throw new ServiceError('INVALID_REQUEST', 'a branch or tag needs a name of 1 to 255 printable characters');
  }
  await withEmbedded(options, 'refuse', async ({ catalog }) => {
    const signal = interruptSignal();
    const { identifier } = await loadNamedTable(table, catalog, signal);
    const build = verb === 'create' ? (at: Table) => createRef(at, ref, options) : (at: Table) => dropRef(at, ref);
    const { metadata } = await catalog.retryCommit(identifier, async (at) => build(at), { signal });
    const made = metadata.refs.get(ref);
    if (verb === 'drop' || made === undefined) {
      await printResult(options.json === true, { table: formatTable(identifier), dropped: ref }, [`dropped ${ref}`]);
      return;
    }
    await printResult(
      options.json === true,
      { table: formatTable(identifier), name: ref, type: made.type, snapshot_id: `${made.snapshotId}` },
      [`created the ${made.type} ${ref} at snapshot ${made.snapshotId}`],
    );
  });
}

function createRef({ metadata }: Table, name: string, options: Options): BuiltCommit {
  const existing = metadata.refs.get(name);
  if (existing !== undefined) {
    throw new ServiceError(
      'ALREADY_EXISTS',
      `there is already a ${existing.type} ${JSON.stringify(name)}: drop it first`,
    );
  }
  const at =
    options.snapshot === undefined
      ? ({ kind: 'main' } as const)
      : ({ kind: 'snapshot', id: snapshotId(options.snapshot) } as const);
  const snapshot = resolveSnapshot(metadata, at);
  if (snapshot === null) {
    throw new ServiceError('INVALID_REQUEST', 'the table has no snapshot yet that a branch or tag could point to');
  }
  const type = options.branch === true ? 'branch' : 'tag';
  const never = { minSnapshotsToKeep: null, maxSnapshotAgeMs: null, maxRefAgeMs: null };
  return {
    requirements: [{ kind: 'assert-ref-snapshot-id', ref: name, snapshotId: null }],
    updates: [{ kind: 'set-snapshot-ref', name, ref: { snapshotId: snapshot.snapshotId, type, ...never } }],
  };
}

function dropRef({ metadata }: Table, name: string): BuiltCommit {
  if (name === mainBranch) throw new ServiceError('INVALID_REQUEST', 'main cannot be dropped: it is what the table is');
  const ref = metadata.refs.get(name);
  if (ref === undefined) {
    const hint = didYouMean(name, metadata.refs.keys());
    throw new ServiceError('NOT_FOUND', `the table has no branch or tag ${JSON.stringify(name)}.${hint}`);
  }
  return {
    requirements: [{ kind: 'assert-ref-snapshot-id', ref: name, snapshotId: ref.snapshotId }],
    updates: [{ kind: 'remove-snapshot-ref', name }],
  };
}
