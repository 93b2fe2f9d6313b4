/** A node:test reporter that prints one line a file and the whole of each failure: a green run stays readable. */
import { relative } from 'node:path';
import type { TestEvent } from 'node:test/reporters';
import { inspect } from 'node:util';

interface FileTally {
  passed: number;
  failed: number;
  ms: number;
}

export default async function* briefReporter(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const files = new Map<string, FileTally>();
  for await (const event of source) {
    if (event.type !== 'test:pass' && event.type !== 'test:fail') continue;
    const { data } = event;
    const file = relative(process.cwd(), data.file ?? '');
    const tally = files.get(file) ?? { passed: 0, failed: 0, ms: 0 };
    files.set(file, tally);
    if (data.details.type === 'suite') continue;
    if (data.nesting === 0) tally.ms += data.details.duration_ms;
    if (event.type === 'test:pass') tally.passed++;
    else {
      tally.failed++;
      yield `\nFAILED ${file}: ${data.name}\n${inspect(event.data.details.error.cause ?? event.data.details.error)}\n`;
    }
  }
  yield '\n';
  let passed = 0;
  let failed = 0;
  for (const [file, tally] of [...files].sort()) {
    passed += tally.passed;
    failed += tally.failed;
    yield `${tally.failed > 0 ? 'FAIL' : 'ok  '} ${file}: ${tally.passed} passed, ${tally.failed} failed, ${(tally.ms / 1000).toFixed(1)} s\n`;
  }
  yield `${passed} passed, ${failed} failed\n`;
}
