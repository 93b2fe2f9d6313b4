/**
 * Makes `dist`, the package's code: every source file without its types, importing `.js`. Node strips no types below
 * `node_modules`, so whoever installs the package could not run the sources. Types are replaced by spaces, which keeps lines and
 * columns of stack traces as they are in the sources.
 */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { stripTypeScriptTypes } from 'node:module';
import { dirname, join } from 'node:path';

const root = join(import.meta.dirname, '..');
const sources = join(root, 'src');
const target = join(root, 'dist');

await rm(target, { recursive: true, force: true });
const files = (await readdir(sources, { recursive: true, encoding: 'utf8' })).filter((file) => file.endsWith('.ts'));
for (const file of files) {
  const stripped = stripTypeScriptTypes(await readFile(join(sources, file), 'utf8'), { mode: 'strip' });
  const output = join(target, file.replace(/\.ts$/, '.js'));
  await mkdir(dirname(output), { recursive: true });
  await writeFile(output, importingJavaScript(stripped));
}
// Standard output belongs to whoever called npm: `npm pack --json` prints there.
console.error(`packed ${files.length} files into dist`);

/** Relative specifiers of imports, exports and dynamic imports. */
function importingJavaScript(code: string): string {
  return code.replaceAll(/(\bfrom\s*|\bimport\s*\(\s*|\bimport\s+)(['"])(\.{1,2}\/[^'"]*)\.ts\2/g, '$1$2$3.js$2');
}
