import { compareSelectors, type Selector, selectorText } from '../../../spiffe/selector.ts';
import type { SpiffeId } from '../../../spiffe/spiffe-id.ts';

/** What is stored of an agent: each once, sorted (`reference/server.md` §14.4, steps 4 and 8). */
export function nodeSelectors(
  type: string,
  values: readonly string[],
  agentId: SpiffeId | undefined,
): readonly Selector[] {
  const own = agentId ? [{ type: 'spiffe_id', value: agentId.toString() }] : [];
  const all = [...values.map((value) => ({ type, value })), ...own];
  const distinct = new Map(all.map((selector) => [selectorText(selector), selector]));
  return [...distinct.values()].toSorted(compareSelectors);
}
