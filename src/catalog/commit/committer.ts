import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { cancellationError, throwIfCancelled } from '../../core/cancellation.ts';
import { isServiceError, ServiceError } from '../../core/errors.ts';
import { formatTable, type TableIdentifier, tableIdentifier } from '../../core/identifier.ts';
import type { TableUuid } from '../../core/ids.ts';
import type { Limits } from '../../core/limits.ts';
import { folderKey } from '../../storage/locations.ts';
import type { BuiltCommit, CommitOptions, CommittedTable, Table, TableCommit } from '../catalog-types.ts';
import { applyUpdates } from '../metadata/apply.ts';
import { parseJson, stringifyJson } from '../metadata/big-json.ts';
import { JsonMembers } from '../metadata/json-members.ts';
import { checkRequirements } from '../metadata/requirements.ts';
import type { TableMetadata } from '../metadata/types.ts';
import type { CatalogStore, IdempotencyKey, PointerSwap } from '../store/catalog-store.ts';
import { checkTableLocation, checkUpdateLocations } from './location-rules.ts';
import type { TableMetadataFiles } from './table-metadata-files.ts';
import { Turns } from './turns.ts';

/** Waits between attempts grow from the first to the last of these, in ms, and are random, so that processes take turns. */
const retryWaitFirstMs = 10;
const retryWaitLastMs = 400;
/** Races that a commit loses before it reserves its tables, and for how long, in ms: a crash holds others up no longer. */
const lossesBeforeReserving = 2;
const reservationMs = 2_000;

export interface CommitterContext {
  readonly store: CatalogStore;
  readonly files: TableMetadataFiles;
  readonly warehouse: string;
  readonly limits: Pick<Limits, 'commitRetriesMax' | 'commitQueueMax'>;
  readonly clock: () => number;
}

/** A table's next metadata, and the file that holds it; the file is the current one where nothing changes. */
interface Prepared {
  readonly identifier: TableIdentifier;
  readonly current: Table | null;
  readonly metadata: TableMetadata;
  readonly metadataLocation: string;
}

/** Another process moved a pointer between reading the tables and swapping them: nothing else of the request was refused. */
class LostRace extends Error {
  readonly tables: readonly TableUuid[];

  constructor(tables: readonly TableUuid[], cause: unknown) {
    super('lost a race', { cause });
    this.tables = tables;
  }
}

/**
 * Commits in this process take turns per table, so that they do not lose to each other; against other processes each swap is
 * conditional and is tried again. Metadata is durable before its pointer moves, and deleted only where it certainly did not.
 */
export class Committer {
  readonly #context: CommitterContext;
  readonly #turns: Turns;

  constructor(context: CommitterContext) {
    this.#context = context;
    this.#turns = new Turns(context.limits.commitQueueMax);
  }

  async load(identifier: TableIdentifier, signal: AbortSignal): Promise<Table | null> {
    const { store, files } = this.#context;
    const stored = await store.table(identifier);
    if (stored === null) return null;
    const metadata = await files.load(stored.metadataLocation, signal);
    if (metadata.tableUuid !== stored.uuid) {
      throw new ServiceError(
        'CORRUPT_FILE',
        `the metadata of ${formatTable(identifier)} has the uuid of another table`,
      );
    }
    return { identifier, metadataLocation: stored.metadataLocation, metadata };
  }

  /** What an earlier commit recorded under the options' key; null without a key or for a new one. */
  async recall(options: CommitOptions): Promise<CommittedTable[] | null> {
    const key = keyOf(options);
    const response = key === null ? null : await this.#context.store.replay(key);
    return response === null ? null : await this.#recall(response, options.signal);
  }

  /** Other processes may win the pointer; the requirements decide whether the commit still holds on what they made. */
  async commit(commits: readonly TableCommit[], options: CommitOptions): Promise<CommittedTable[]> {
    checkDistinct(commits);
    const replayed = await this.recall(options);
    if (replayed !== null) return replayed;
    using _turn = await this.#takeTurns(commits, options.signal);
    return await this.#retry(options.signal, async (holder) => {
      const prepared: Prepared[] = [];
      try {
        for (const commit of commits) {
          const current = await this.load(commit.identifier, options.signal);
          prepared.push(await this.#prepare(commit, current, options.signal));
        }
      } catch (error) {
        await this.#discard(prepared);
        throw error;
      }
      return await this.#swap(prepared, options, options.result ?? null, holder);
    });
  }

  /** See `Catalog.retryCommit`. */
  async retry(
    identifier: TableIdentifier,
    build: (table: Table) => Promise<BuiltCommit>,
    options: CommitOptions,
  ): Promise<CommittedTable> {
    const replayed = await this.recall(options);
    if (replayed !== null) return replayed[0]!;
    using _turn = await this.#takeTurns([{ identifier }], options.signal);
    return await this.#retry(options.signal, async (holder) => {
      const table = await this.load(identifier, options.signal);
      if (table === null) throw noTable(identifier);
      const built = await build(table);
      try {
        // On the very table that was built on: any change since, even one that no requirement names, means building again.
        const prepared = await this.#prepare({ identifier, ...built }, table, options.signal);
        const [committed] = await this.#swap([prepared], options, built.result ?? options.result ?? null, holder);
        return committed!;
      } catch (error) {
        // What a failing clean-up leaves behind, the clean-up of orphans finds.
        if (!isServiceError(error, 'COMMIT_UNKNOWN')) await built.cleanup?.().catch(() => {});
        // Also where its own requirements refuse it: the next attempt builds new ones.
        throw isServiceError(error, 'COMMIT_CONFLICT') ? new LostRace([table.metadata.tableUuid], error) : error;
      }
    });
  }

  /** A staged table becomes one, with further updates on it. */
  async create(identifier: TableIdentifier, metadata: TableMetadata, options: CommitOptions): Promise<CommittedTable> {
    const { store, files } = this.#context;
    // In this order: a call with the same key may make the table at any time.
    const exists = (await store.table(identifier)) !== null;
    const replayed = await this.recall(options);
    if (replayed !== null) return replayed[0]!;
    if (exists) throw tableExists(identifier);
    const metadataLocation = await files.write(metadata, null, options.signal);
    const prepared: Prepared = { identifier, current: null, metadata, metadataLocation };
    const [committed] = await this.#swap([prepared], options, options.result ?? null);
    return committed!;
  }

  #takeTurns(commits: readonly Pick<TableCommit, 'identifier'>[], signal: AbortSignal): Promise<Disposable> {
    return this.#turns.take(
      commits.map(({ identifier }) => formatTable(identifier)),
      signal,
    );
  }

  /** Tries again after lost races; whoever lost a few reserves the tables, so that faster processes cannot starve it. */
  async #retry<Result>(signal: AbortSignal, attempt: (holder: string) => Promise<Result>): Promise<Result> {
    const { store, limits } = this.#context;
    const holder = randomUUID();
    let reserved = false;
    try {
      for (let tries = 0; ; tries++) {
        throwIfCancelled(signal);
        try {
          return await attempt(holder);
        } catch (error) {
          if (!(error instanceof LostRace)) throw error;
          if (tries >= limits.commitRetriesMax) throw error.cause;
          reserved = tries >= lossesBeforeReserving && (await store.reserve(error.tables, holder, reservationMs));
        }
        if (!reserved) await wait(Math.random() * Math.min(retryWaitFirstMs * 2 ** tries, retryWaitLastMs), signal);
      }
    } catch (error) {
      // A commit gives its reservation back itself; where the store fails too, it expires.
      if (reserved) await store.release(holder).catch(() => {});
      throw error;
    }
  }

  async #prepare(commit: TableCommit, current: Table | null, signal: AbortSignal): Promise<Prepared> {
    const { files, clock } = this.#context;
    const { identifier, updates } = commit;
    const creates = commit.requirements.some(({ kind }) => kind === 'assert-create');
    if (current !== null && creates) throw tableExists(identifier);
    if (current === null && !creates) throw noTable(identifier);
    const base = current?.metadata ?? null;
    checkRequirements(base, commit.requirements);
    await this.#checkLocations(commit, current);
    const metadataLocation = current?.metadataLocation ?? null;
    const metadata = applyUpdates(base, updates, { nowMs: clock(), metadataLocation });
    if (metadata === base) return { identifier, current, metadata, metadataLocation: metadataLocation! };
    return { identifier, current, metadata, metadataLocation: await files.write(metadata, metadataLocation, signal) };
  }

  async #checkLocations({ identifier, updates }: TableCommit, current: Table | null): Promise<void> {
    const { store, warehouse } = this.#context;
    const location = current?.metadata.location ?? null;
    checkUpdateLocations(location, updates);
    for (const update of updates) {
      if (update.kind !== 'set-location' || update.location.replace(/\/+$/, '') === location) continue;
      const others = (await store.listTables(null)).filter((table) => !sameTable(table.identifier, identifier));
      checkTableLocation(
        update.location,
        warehouse,
        others.map((table) => table.metadataLocation),
      );
    }
  }

  /** The transaction. From its start on the caller's signal no longer counts: the outcome must be known. */
  async #swap(
    prepared: readonly Prepared[],
    options: CommitOptions,
    result: string | null,
    holder = '',
  ): Promise<CommittedTable[]> {
    const key = keyOf(options);
    try {
      throwIfCancelled(options.signal);
      const outcome = await this.#context.store.commit({
        swaps: prepared.filter(isChanged).map(swapOf),
        holder,
        idempotency: key === null ? null : { ...key, response: responseText(prepared, result) },
      });
      if (outcome.kind === 'replayed') {
        await this.#discard(prepared);
        return await this.#recall(outcome.response, options.signal);
      }
      return prepared.map(({ identifier, metadataLocation, metadata }) => ({
        identifier,
        metadataLocation,
        metadata,
        replayed: false,
        result,
      }));
    } catch (error) {
      // After an unknown outcome the pointer may already name the new file.
      if (!isServiceError(error, 'COMMIT_UNKNOWN')) await this.#discard(prepared);
      if (!isServiceError(error, 'COMMIT_CONFLICT')) throw error;
      throw new LostRace(
        prepared.map(({ metadata }) => metadata.tableUuid),
        error,
      );
    }
  }

  async #discard(prepared: readonly Prepared[]): Promise<void> {
    await this.#context.files.discard(prepared.filter(isChanged).map(({ metadataLocation }) => metadataLocation));
  }

  /** The tables as the recorded commit left them; as they are now where those metadata files were cleaned away. */
  async #recall(response: string, signal: AbortSignal): Promise<CommittedTable[]> {
    const json = new JsonMembers(parseJson(response), 'INTERNAL', 'recorded response');
    const result = json.stringOr('result', null);
    const tables: CommittedTable[] = [];
    for (const entry of json.eachOr('tables')) {
      const identifier = tableIdentifier(entry.strings('identifier'));
      const metadataLocation = entry.string('metadata-location');
      tables.push({ ...(await this.#recallTable(identifier, metadataLocation, signal)), replayed: true, result });
    }
    return tables;
  }

  async #recallTable(identifier: TableIdentifier, metadataLocation: string, signal: AbortSignal): Promise<Table> {
    try {
      return { identifier, metadataLocation, metadata: await this.#context.files.load(metadataLocation, signal) };
    } catch (error) {
      if (!isServiceError(error, 'NOT_FOUND')) throw error;
      const table = await this.load(identifier, signal);
      if (table === null) throw noTable(identifier);
      return table;
    }
  }
}

export const noTable = (identifier: TableIdentifier): ServiceError =>
  new ServiceError('NOT_FOUND', `the table ${formatTable(identifier)} does not exist`);

const tableExists = (identifier: TableIdentifier): ServiceError =>
  new ServiceError('ALREADY_EXISTS', `the table ${formatTable(identifier)} already exists`);

const sameTable = (a: TableIdentifier, b: TableIdentifier): boolean => formatTable(a) === formatTable(b);

const isChanged = ({ current, metadataLocation }: Prepared): boolean => current?.metadataLocation !== metadataLocation;

const swapOf = ({ identifier, current, metadata, metadataLocation }: Prepared): PointerSwap => ({
  identifier,
  expectedMetadataLocation: current?.metadataLocation ?? null,
  newMetadataLocation: metadataLocation,
  uuid: metadata.tableUuid,
  ...(current?.metadata.location !== metadata.location && { folder: folderKey(metadata.location) }),
});

const keyOf = ({ idempotencyKey, principal, digest }: CommitOptions): IdempotencyKey | null =>
  idempotencyKey === undefined ? null : { key: idempotencyKey, principal: principal ?? '', digest: digest ?? '' };

const responseText = (prepared: readonly Prepared[], result: string | null): string =>
  stringifyJson({
    tables: prepared.map(({ identifier, metadataLocation }) => ({
      identifier: [...identifier.namespace, identifier.name],
      'metadata-location': metadataLocation,
    })),
    result,
  });

function checkDistinct(commits: readonly TableCommit[]): void {
  const names = new Set(commits.map(({ identifier }) => formatTable(identifier)));
  if (names.size < commits.length) throw new ServiceError('INVALID_REQUEST', 'a transaction names one table twice');
}

async function wait(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal });
  } catch {
    throw cancellationError(signal);
  }
}
