import type { Command } from 'commander';
import { formatNamespace, parseNamespace } from '../../core/identifier.ts';
import { type EmbeddedOptions, withDataDir, withEmbedded } from '../embedded-command.ts';
import { collectPairs } from '../options.ts';
import { printResult } from '../output.ts';

interface Options extends EmbeddedOptions {
  readonly property?: ReadonlyMap<string, string>;
}

export function define(command: Command): void {
  withDataDir(command)
    .argument('<namespace>', 'its name; the namespace around it must exist')
    .option('--property <name=value>', 'a property; may come several times', collectPairs)
    .addHelpText('after', '\nExample:\n  headrace create-namespace silver --property headrace.layer=silver')
    .action((namespace: string, options: Options) => create(namespace, options));
}

async function create(name: string, options: Options): Promise<void> {
  const namespace = parseNamespace(name);
  const properties = options.property ?? new Map<string, string>();
  await withEmbedded(options, 'create', async ({ catalog }) => {
    await catalog.createNamespace(namespace, properties);
    const created = { namespace: formatNamespace(namespace), properties: Object.fromEntries(properties) };
    await printResult(options.json === true, created, [`created the namespace ${created.namespace}`]);
  });
}
