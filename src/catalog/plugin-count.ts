import { Fault } from '../base/fault.ts';
import { goQuote } from '../base/go-quote.ts';
import type { PluginKind } from './load-plugin.ts';

/** How many plugins of a kind a program needs. */
export type PluginCount = { readonly atLeast: number; readonly atMost: number };

/** Throws 'invalid' with SPIRE's words (`reference/server.md` §3). */
export function checkPluginCount(
  kind: PluginKind,
  count: number,
  { atLeast, atMost }: PluginCount,
): void {
  if (count >= atLeast && count <= atMost) return;
  throw new Fault(
    'invalid',
    `plugin type ${goQuote(kind)} constraint not satisfied: expected ${wanted(count, { atLeast, atMost })} but got ${count}`,
  );
}

function wanted(count: number, { atLeast, atMost }: PluginCount): string {
  if (atLeast === atMost) return `exactly ${atLeast}`;
  return count < atLeast ? `at least ${atLeast}` : `at most ${atMost}`;
}
