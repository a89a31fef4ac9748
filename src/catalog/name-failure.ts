import { Fault, kindOf, reasonOf } from '../base/fault.ts';
import type { PluginKind } from './load-plugin.ts';

/**
 * What a plugin threw, with its kind and name before it: `keymanager(disk): ...`, not twice; a name that stands there
 * already goes first (`reference/plugin-protocol.md` §13).
 */
export function nameFailure(kind: PluginKind, name: string, thrown: unknown): Fault {
  const prefix = `${kind.toLowerCase()}(${name}): `;
  const reason = reasonOf(thrown);
  if (reason.startsWith(prefix) && thrown instanceof Fault) return thrown;
  const message = reason.startsWith(`${name}: `) ? reason.slice(name.length + 2) : reason;
  return new Fault(kindOf(thrown), message.startsWith(prefix) ? message : `${prefix}${message}`, {
    cause: thrown,
  });
}
