import type { Command } from 'commander';
import { ServiceError } from '../../core/errors.ts';
import { withJson } from '../options.ts';

export function define(command: Command): void {
  withJson(command.command('verify'))
    .description('Verify the audit log (not in this version)')
    .action(() => {
      throw new ServiceError(
        'UNSUPPORTED_FEATURE',
        'audit verify is not in this version: audit records are lines of the log, which nothing seals',
      );
    });
}
