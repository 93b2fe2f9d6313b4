import type { TableUpdate } from '../catalog/metadata/commit-types.ts';
import type { TableAction } from '../core/access.ts';

/** Properties that policy reads, such as `headrace.layer`. */
const ownPropertyPrefix = 'headrace.';

/** An action that a commit needs besides `write`, one of `anyOf`, and the update that needs it, as a sentence's end. */
export interface CommitRight {
  readonly anyOf: readonly [TableAction, ...TableAction[]];
  readonly why: string;
}

/**
 * What else updates need: whoever may write a table may fill it, but not decide where it lies, what policy thinks of it, or which of its
 * past is kept.
 */
export function commitRights(updates: readonly TableUpdate[]): CommitRight[] {
  const rights: CommitRight[] = [];
  for (const update of updates) {
    const right = rightOf(update);
    if (right !== null && !rights.some(({ why }) => why === right.why)) rights.push(right);
  }
  return rights;
}

function rightOf(update: TableUpdate): CommitRight | null {
  switch (update.kind) {
    case 'set-location':
      return { anyOf: ['administer'], why: 'set-location needs it' };
    case 'set-properties':
    case 'remove-properties': {
      const names = update.kind === 'set-properties' ? update.updates.keys() : update.removals.values();
      // Whoever looks properties up may not mind their case.
      const own = names.find((name) => name.toLowerCase().startsWith(ownPropertyPrefix));
      return own === undefined
        ? null
        : { anyOf: ['administer'], why: `${update.kind} of ${ownPropertyPrefix}* needs it` };
    }
    case 'remove-snapshots':
    case 'remove-snapshot-ref':
      return { anyOf: ['maintain', 'administer'], why: `${update.kind} needs it` };
    default:
      return null;
  }
}
