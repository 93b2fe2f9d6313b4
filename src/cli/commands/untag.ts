import type { Command } from 'commander';
import { ServiceError } from '../../core/errors.ts';
import { didYouMean } from '../../core/nearest.ts';
import { resolveName } from '../catalog-names.ts';
import { type EmbeddedOptions, withDataDir, withEmbedded } from '../embedded-command.ts';
import { interruptSignal } from '../interrupt.ts';
import { printResult } from '../output.ts';

export function define(command: Command): void {
  withDataDir(command)
    .argument('<name>', 'a namespace, a table, or a column as TABLE.COLUMN')
    .argument('<tag>')
    .addHelpText('after', '\nExample:\n  headrace untag bronze.passengers.email pii')
    .action((name: string, tag: string, options: EmbeddedOptions) => removeTag(name, tag, options));
}

async function removeTag(text: string, tag: string, options: EmbeddedOptions): Promise<void> {
  await withEmbedded(options, 'refuse', async ({ catalog }) => {
    const { target, kind, name } = await resolveName(text, catalog, interruptSignal());
    if (!(await catalog.store.removeTag(target, tag))) {
      const tags = (await catalog.store.listTags(target)).map((entry) => entry.tag);
      throw new ServiceError('NOT_FOUND', `the ${kind} ${name} has no tag ${tag}.${didYouMean(tag, tags)}`);
    }
    await printResult(options.json === true, { [kind]: name, tag, changed: true }, [
      `untagged the ${kind} ${name}: ${tag}`,
    ]);
  });
}
