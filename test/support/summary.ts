/** Adds up the JUnit files of a folder and prints `N passed, N failed`; exits 1 when something failed or nothing ran. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = process.argv[2]!;
let passed = 0;
let failed = 0;
for (const file of readdirSync(folder).filter((name) => name.endsWith('.xml'))) {
  for (const testcase of readFileSync(join(folder, file), 'utf8').matchAll(
    /<testcase\b[^>]*?(\/>|>[\s\S]*?<\/testcase>)/g,
  )) {
    if (/<(failure|error)\b/.test(testcase[0])) failed++;
    else passed++;
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
