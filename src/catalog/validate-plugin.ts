import { reasonOf } from '../base/fault.ts';
import { ConfigFault } from '../base/problems.ts';
import { Settings } from '../base/settings.ts';
import { builtIn, type PluginKind } from './load-plugin.ts';
import type { BuiltIns, Plugin, PluginDeclaration } from './plugin.ts';

export type ValidatePluginDeps<Env, Contract> = {
  readonly kind: PluginKind;
  readonly builtIns: BuiltIns<Plugin<Env, Contract>>;
};

/**
 * Has a plugin check its settings without starting it; the result is what is wrong, one text each. Throws with
 * SPIRE's words if there is no such plugin.
 */
export async function validatePlugin<Env, Contract>(
  { kind, builtIns }: ValidatePluginDeps<Env, Contract>,
  { name, data }: PluginDeclaration,
): Promise<readonly string[]> {
  const plugin = await builtIn(kind, builtIns, name);
  if (data !== undefined && !plugin.takesData)
    return ['no supported configuration interface found'];
  try {
    await plugin.validate?.(data ?? Settings.empty());
    return [];
  } catch (error) {
    return error instanceof ConfigFault ? [error.message, ...error.details] : [reasonOf(error)];
  }
}
