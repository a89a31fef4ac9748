/** A test reporter that writes how many tests passed, failed and were skipped, as one JSON object. */
import type { TestEvent } from 'node:test/reporters';

export default async function* counts(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  let [passed, failed, skipped] = [0, 0, 0];
  for await (const { type, data } of source) {
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    if (data.details.type === 'suite') continue;
    if (type === 'test:fail') failed += 1;
    else if (data.skip !== undefined) skipped += 1;
    else passed += 1;
  }
  yield JSON.stringify({ passed, failed, skipped });
}
