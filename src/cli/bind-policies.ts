import { isServiceError } from '../core/errors.ts';
import type { Embedded } from '../server/embedded.ts';
import { printable } from './output.ts';

/**
 * Looks up what the configured policies' names mean in the tables as they are, so that a later rename does not loosen them. A broken
 * set binds nothing and is reported: the command goes on, because the server refuses that set as well.
 */
export async function bindPolicyNames(embedded: Embedded): Promise<void> {
  if (embedded.config.policies === null) return;
  try {
    await using _policies = await embedded.openPolicies();
  } catch (error) {
    if (!isServiceError(error, 'INVALID_POLICY')) throw error;
    process.stderr.write(
      `headrace: the policies are not usable, so their names were not looked up: ${printable(error.message)}\n`,
    );
  }
}
