import type { NamespaceFacts, Principal, TableDecision, TableFacts } from '../../core/access.ts';
import { isServiceError } from '../../core/errors.ts';
import type { Namespace } from '../../core/identifier.ts';
import type { TableUuid } from '../../core/ids.ts';
import type { KeyValueStore } from '../../core/key-value.ts';
import { defaultLimits, type Limits } from '../../core/limits.ts';
import { keepBindings, readBindings, withBindings } from './binding-store.ts';
import { type Bindings, type BoundPolicies, bindPolicies, bindTable } from './bindings.ts';
import { createDecider, type Decider, factsDigest } from './decision-cache.ts';
import { fingerprintFolder, readFolder, watchFolder } from './directory.ts';
import { loadPolicies, type PolicyLimits } from './load.ts';
import { decideNamespace, type NamespaceDecision } from './namespaces.ts';
import { InvalidPolicyError, type PolicyProblem } from './problems.ts';

export interface PolicyStoreOptions {
  /** The folder of `*.cedar`; null or absent on disk: the built-in policy alone. */
  readonly directory: string | null;
  /** Every table that exists, to look up the columns that policies name. */
  readonly tables: () => Promise<readonly TableFacts[]>;
  readonly kv: KeyValueStore;
  readonly pollMs?: number;
  readonly limits?: PolicyLimits & Pick<Limits, 'decisionCacheMax'>;
  /** Told of a set that was refused while another is in force, and of what else goes wrong in the background. */
  readonly onError?: (error: unknown) => void;
  /** Told of what a loaded set's authors probably did not mean. */
  readonly onWarnings?: (warnings: readonly PolicyProblem[]) => void;
}

export interface PolicyVersion {
  readonly version: string;
  /** How many, the built-in one included. */
  readonly policies: number;
}

export interface PolicyStore extends AsyncDisposable {
  readonly current: PolicyVersion;
  /** The set in force and what its names mean, for `policy check` and `policy explain`. */
  readonly bound: BoundPolicies;
  /** What the principal may do with the table now. Throws POLICY_UNAVAILABLE where that cannot be decided. */
  decide(principal: Principal, facts: TableFacts): Promise<TableDecision>;
  /** The same for a namespace itself. */
  decideNamespace(principal: Principal, namespace: Namespace, facts: readonly NamespaceFacts[]): NamespaceDecision;
  /** Looks up the names that policies use in a table that was just created, before any of its columns is renamed. */
  observe(facts: TableFacts): Promise<void>;
  /** Loads the folder again, all or nothing. Throws INVALID_POLICY and leaves the set in force as it was. */
  reload(): Promise<PolicyVersion>;
  /** Calls back after each change of the set in force; the result ends that. */
  onChange(listener: (version: PolicyVersion) => void): Disposable;
}

const turnsMax = 5;

interface State {
  readonly bound: BoundPolicies;
  readonly decider: Decider;
  /** The facts for which each table's names were looked up. */
  readonly seen: Map<TableUuid, string>;
}

/** Policies from a folder, loaded again whenever it changes. Throws INVALID_POLICY when the first set is broken. */
export async function openPolicyStore(options: PolicyStoreOptions): Promise<PolicyStore> {
  const { directory, tables, kv, pollMs = 1_000, limits = defaultLimits } = options;
  const listeners = new Set<(version: PolicyVersion) => void>();
  let fingerprint = '';
  let state: State | null = null;
  let queue: Promise<unknown> = Promise.resolve();

  /** One change of state at a time. */
  const serially = <T>(work: () => Promise<T>): Promise<T> => {
    const result = queue.then(work);
    queue = result.catch(() => {});
    return result;
  };

  const makeState = (bound: BoundPolicies, facts: ReadonlyMap<TableUuid, string>): State => ({
    bound,
    decider: createDecider(bound, limits.decisionCacheMax),
    seen: new Map(facts),
  });

  const load = async (): Promise<PolicyVersion> => {
    const folder = directory === null ? { files: null, fingerprint: 'none' } : await readFolder(directory, limits);
    fingerprint = folder.fingerprint;
    if (folder.files === null && directory !== null && state !== null) requireNeverThere(state);
    const set = loadPolicies(folder.files ?? [], limits);
    const existing = await tables();
    const stored = await readBindings(kv);
    const { bindings, added, errors, warnings } = bindPolicies(set, existing, stored);
    if (errors.length > 0) throw new InvalidPolicyError(errors);
    const kept = await keepBindings(kv, added);
    const before = state?.bound.set.version;
    state = makeState(
      { set, bindings: withBindings(bindings, kept) },
      new Map(existing.map((facts) => [facts.uuid, factsDigest(facts)])),
    );
    if (warnings.length > 0) options.onWarnings?.(warnings);
    const version = versionOf(state);
    if (before !== undefined && before !== version.version) for (const listener of listeners) listener(version);
    return version;
  };

  const observe = async (facts: TableFacts): Promise<void> => {
    const now = state!;
    if (now.seen.get(facts.uuid) === factsDigest(facts)) return;
    const table = bindTable(now.bound.set, facts, now.bound.bindings.get(facts.uuid));
    const kept = await keepBindings(kv, table.added);
    const first = !now.seen.has(facts.uuid);
    if (first || table.added.length > 0) {
      const bindings: Bindings = new Map(now.bound.bindings).set(facts.uuid, table.bindings);
      state = makeState({ set: now.bound.set, bindings: withBindings(bindings, kept) }, now.seen);
    }
    state!.seen.set(facts.uuid, factsDigest(facts));
    const doubtful = [...table.errors, ...table.warnings];
    if (first && doubtful.length > 0) options.onWarnings?.(doubtful);
  };

  const version = await serially(load);
  const check = async (): Promise<void> => {
    checking = false;
    const found = directory === null ? fingerprint : await fingerprintFolder(directory);
    if (found === fingerprint) return;
    // Remembered first, so that a broken set is reported once and not at every poll.
    fingerprint = found;
    try {
      await load();
    } catch (error) {
      // What is broken elsewhere (the catalog's store, the disk) may mend without a change of the folder.
      if (!isServiceError(error, 'INVALID_POLICY')) fingerprint = '';
      throw error;
    }
  };
  let checking = false;
  const checkLater = (): void => {
    if (checking) return;
    checking = true;
    serially(check).catch((error: unknown) => options.onError?.(error));
  };
  const watcher = directory === null ? null : watchFolder(directory, checkLater);
  const timer = directory === null ? null : setInterval(checkLater, pollMs).unref();

  return {
    get current() {
      return state === null ? version : versionOf(state);
    },
    get bound() {
      return state!.bound;
    },
    async decide(principal, facts) {
      // A reload may come between; it may not know a table that was created since it listed them.
      for (let turn = 0; turn < turnsMax && state!.seen.get(facts.uuid) !== factsDigest(facts); turn++) {
        await serially(() => observe(facts));
      }
      return state!.decider.decide(principal, facts);
    },
    decideNamespace: (principal, namespace, facts) => decideNamespace(state!.bound.set, principal, namespace, facts),
    observe: (facts) => serially(() => observe(facts)),
    reload: () => serially(load),
    onChange(listener) {
      listeners.add(listener);
      return { [Symbol.dispose]: () => void listeners.delete(listener) };
    },
    async [Symbol.asyncDispose]() {
      if (timer !== null) clearInterval(timer);
      watcher?.[Symbol.dispose]();
      listeners.clear();
      await queue;
    },
  };
}

const versionOf = (state: State): PolicyVersion => ({
  version: state.bound.set.version,
  policies: state.bound.set.policies.length,
});

/** A folder that vanished is a mistake or an unmounted disk, and its forbids must not vanish with it. */
function requireNeverThere(state: State): void {
  if (state.bound.set.policies.every((policy) => policy.file === 'builtin')) return;
  const reason = 'the policy folder is gone: to have no policies, leave it empty';
  throw new InvalidPolicyError([{ file: '', line: 1, policy: null, reason }]);
}
