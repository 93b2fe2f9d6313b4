/**
 * Adds up the JUnit files of a folder: `summary.ts FOLDER [FAILED_STEP…]` names what failed and prints, as its last line, `N passed, N failed`.
 * A skipped test counts as failed, because it shows nothing; so does a failed step that no failed test accounts for, such as a
 * linter. Exits with 1 when something failed or nothing ran.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Attribute values may hold any `>`: only `<`, `&` and quotes are escaped there. */
const attributes = '(?:[^>"]|"[^"]*")*?';
const testcases = new RegExp(`<testcase\\b(${attributes})(?:/>|>([\\s\\S]*?)</testcase>)`, 'g');

const [folder = '', ...failedSteps] = process.argv.slice(2);
const files = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.xml')) : [];
const failures: string[] = [];
let passed = 0;
for (const file of files.sort()) {
  for (const [, attribute = '', content = ''] of readFileSync(join(folder, file), 'utf8').matchAll(testcases)) {
    const outcome = /<(failure|error|skipped)\b/.exec(content)?.[1];
    if (outcome === undefined) passed++;
    else failures.push(`${outcome === 'skipped' ? 'skipped' : 'failed'} in ${file}: ${nameOf(attribute)}`);
  }
}
for (const step of failedSteps) console.log(`failed: ${step}`);
for (const failure of failures) console.log(failure);
const failed = Math.max(failures.length, failedSteps.length);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;

function nameOf(attribute: string): string {
  const named = /(?<=\sname=")[^"]*/.exec(attribute)?.[0] ?? 'a test without a name';
  const entities: Readonly<Record<string, string>> = { quot: '"', apos: "'", lt: '<', gt: '>', amp: '&' };
  return named.replaceAll(/&(\w+);/g, (entity, name: string) => entities[name] ?? entity);
}
