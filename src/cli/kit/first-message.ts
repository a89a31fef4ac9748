import { Fault } from '../../base/fault.ts';

/** The first answer of a stream, which ends there. */
export async function firstMessage<T>(answers: AsyncIterable<T>): Promise<T> {
  for await (const answer of answers) return answer;
  throw new Fault('unknown', 'EOF');
}
