import type { JsonValue } from '@bufbuild/protobuf';
import { OpenCall, type Outcome, type Question } from './ask.ts';
import { numbered } from './marks.ts';

const HALF_CLOSE = '<half-close>';

/**
 * Plays a stream request by request; each waits until all that the one before it brings is there. Marks in requests
 * (`<nonce 1>`) stand for what the answers so far brought. The outcome's responses are one list for each request.
 */
export async function playStream(address: string, question: Question): Promise<Outcome> {
  const open = new OpenCall(address, question);
  const steps: JsonValue[][] = [];
  for (const request of question.requests) {
    const before = open.responses.length;
    if (request === HALF_CLOSE) open.halfClose();
    else open.write(filled(request, open.responses));
    await open.quiet();
    steps.push(open.responses.slice(before));
  }
  return { ...open.close(), responses: steps };
}

function filled(request: JsonValue, responses: readonly JsonValue[]): JsonValue {
  const text = JSON.stringify(request).replace(
    /"<(nonce|version) (\d+)>"/g,
    (_, name: 'nonce' | 'version', number: string) =>
      JSON.stringify(numbered([...responses], name)[Number(number) - 1]),
  );
  return JSON.parse(text) as JsonValue;
}
