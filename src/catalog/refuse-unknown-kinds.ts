import { Fault } from '../base/fault.ts';
import { goQuote } from '../base/go-quote.ts';
import type { Log } from '../ops/log.ts';
import type { PluginSection } from './plugin-sections.ts';

/** Throws with SPIRE's words for a plugin of a type that the program does not have. */
export function refuseUnknownKinds(
  plugins: readonly Pick<PluginSection, 'type' | 'name' | 'command'>[],
  kinds: Readonly<Record<string, unknown>>,
  log: Log,
): void {
  const unknown = plugins.find(({ type }) => kinds[type] === undefined);
  if (unknown === undefined) return;
  const { type, name, command } = unknown;
  const fields = { plugin_name: name, plugin_type: type, external: command !== undefined };
  log.error('Unsupported plugin type', fields);
  throw new Fault('invalid', `unsupported plugin type ${goQuote(type)}`);
}
