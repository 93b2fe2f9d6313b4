import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { Config } from '../core/config.ts';
import { ServiceError } from '../core/errors.ts';
import { loadConfig } from '../server/config.ts';
import { type Embedded, openEmbedded } from '../server/embedded.ts';
import { type CommonOptions, withJson } from './options.ts';

const configFile = 'headrace.yaml';

/** What commands take that work on the embedded state. */
export interface EmbeddedOptions extends CommonOptions {
  readonly dataDir?: string;
  readonly config?: string;
}

export const withDataDir = (command: Command): Command =>
  withJson(command)
    .option('--data-dir <folder>', 'the folder with catalog, keys and warehouse (default: .data)')
    .option('--config <file>', `the configuration (default: ${configFile} of this folder, if there is one)`);

/** The configuration as the file, the environment and a command's flags say it. Flags are by dotted key. */
export function configOf(options: EmbeddedOptions, flags: Readonly<Record<string, unknown>> = {}): Config {
  const file = options.config ?? process.env.HEADRACE_CONFIG ?? (existsSync(configFile) ? configFile : undefined);
  return loadConfig({ file, env: process.env, flags: { dataDir: options.dataDir, ...flags } });
}

export const hasData = (config: Config): boolean => existsSync(join(config.dataDir, 'catalog.db'));

/** Runs work on a data directory, which a server may be using meanwhile. `absent` says what to do where there is none yet. */
export async function withEmbedded<T>(
  options: EmbeddedOptions,
  absent: 'create' | 'refuse',
  work: (embedded: Embedded) => Promise<T>,
): Promise<T> {
  const config = configOf(options);
  if (absent === 'refuse' && !hasData(config)) {
    throw new ServiceError(
      'NOT_FOUND',
      `there is no Headrace data in ${config.dataDir}: give its folder with --data-dir, or begin with serve, import or create-namespace`,
    );
  }
  await using embedded = await openEmbedded(config);
  return await work(embedded);
}
