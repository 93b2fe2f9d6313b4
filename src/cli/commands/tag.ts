import type { Command } from 'commander';
import { ServiceError } from '../../core/errors.ts';
import { resolveName } from '../catalog-names.ts';
import { type EmbeddedOptions, withDataDir, withEmbedded } from '../embedded-command.ts';
import { interruptSignal } from '../interrupt.ts';
import { printResult } from '../output.ts';

const tagCharsMax = 128;

export function define(command: Command): void {
  withDataDir(command)
    .argument('<name>', 'a namespace, a table, or a column as TABLE.COLUMN')
    .argument('[tag]', 'the tag, such as pii; without it, the tags are listed')
    .addHelpText(
      'after',
      `
A column keeps its tags when it is renamed. Policies see them as resource.tags.

Examples:
  headrace tag bronze.passengers.email pii
  headrace tag bronze.passengers.home.zip pii
  headrace tag bronze.passengers`,
    )
    .action((name: string, tag: string | undefined, options: EmbeddedOptions) =>
      tag === undefined ? listTags(name, options) : addTag(name, tag, options),
    );
}

async function addTag(text: string, tag: string, options: EmbeddedOptions): Promise<void> {
  if (tag.trim() !== tag || tag === '' || tag.length > tagCharsMax || /[\p{Cc}\p{Cf}]/u.test(tag)) {
    throw new ServiceError(
      'INVALID_REQUEST',
      `a tag is 1 to ${tagCharsMax} printable characters, without spaces around them`,
    );
  }
  await withEmbedded(options, 'refuse', async ({ catalog }) => {
    const { target, kind, name } = await resolveName(text, catalog, interruptSignal());
    const changed = await catalog.store.addTag(target, tag);
    const line = changed ? `tagged the ${kind} ${name}: ${tag}` : `the ${kind} ${name} has the tag ${tag} already`;
    await printResult(options.json === true, { [kind]: name, tag, changed }, [line]);
  });
}

async function listTags(text: string, options: EmbeddedOptions): Promise<void> {
  await withEmbedded(options, 'refuse', async ({ catalog }) => {
    const { target, kind, name } = await resolveName(text, catalog, interruptSignal());
    const tags = (await catalog.store.listTags(target)).map(({ tag }) => tag).sort();
    await printResult(options.json === true, { [kind]: name, tags }, tags);
  });
}
