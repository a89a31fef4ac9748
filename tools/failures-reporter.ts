/** A test reporter that is silent about what works and says all about what does not, and what was skipped and why. */
import type { TestEvent } from 'node:test/reporters';
import { inspect } from 'node:util';

export default async function* failures(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const { type, data } of source) {
    if (type === 'test:fail' && data.details.type !== 'suite') {
      const cause = data.details.error.cause ?? data.details.error;
      yield `\nfailed: ${data.name} (${data.file ?? '?'}:${data.line ?? 0})\n${inspect(cause)}\n`;
    }
    if (type === 'test:pass' && data.skip !== undefined) {
      yield `skipped: ${data.name}${typeof data.skip === 'string' ? `: ${data.skip}` : ''}\n`;
    }
    if (type === 'test:stderr') yield data.message;
  }
}
