import type { Command } from 'commander';
import { ServiceError } from '../../core/errors.ts';
import { withDataDir } from '../embedded-command.ts';

export function define(command: Command): void {
  withDataDir(command.description('Look for trouble in a data directory (not in this version)')).action(() => {
    throw new ServiceError('UNSUPPORTED_FEATURE', 'doctor is not in this version');
  });
}
