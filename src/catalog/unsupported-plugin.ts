import { goQuote } from '../base/go-quote.ts';
import type { PluginSection } from './plugin-sections.ts';

/** Plugins of a kind that come with SPIRE. */
export type KnownPlugins = {
  /** Those that we have. */
  readonly available: readonly string[];
  /** Those that we do not have yet. */
  readonly later: readonly string[];
};

/** Why a plugin cannot run yet, or undefined. Plugins that nobody knows are left to whoever loads them. */
export function whyPluginUnsupported(
  { type, name, command }: PluginSection,
  kind: KnownPlugins | undefined,
): string | undefined {
  const id = `${type} ${goQuote(name)}`;
  if (command !== undefined)
    return `${id} with plugin_cmd (an external plugin) is not supported yet`;
  return kind?.later.includes(name) === true ? `${id} is not supported yet` : undefined;
}
