import type { Settings } from '../base/settings.ts';

/** What a plugin's folder exports; `Env` is what it may use of the program around it. */
export type Plugin<Env, Contract> = {
  readonly name: string;
  /** Whether it can be configured at all; SPIRE refuses data for a plugin that cannot. */
  readonly takesData: boolean;
  /** Checks settings and starts nothing, for `validate`. Throws 'invalid' as `configure` does; absent: any will do. */
  readonly validate?: (settings: Settings) => Promise<void>;
  /** Starts it with its settings, empty ones if there is no data. Throws 'invalid' with SPIRE's words. */
  configure(settings: Settings, env: Env): Promise<Contract>;
};

export function definePlugin<Env, Contract>(plugin: Plugin<Env, Contract>): Plugin<Env, Contract> {
  return plugin;
}

/** The plugins of a kind that come with the program, by name; loaded only when configured. */
export type BuiltIns<P> = Readonly<Record<string, () => Promise<{ readonly plugin: P }>>>;

/** One plugin as a configuration file declares it. */
export type PluginDeclaration = {
  readonly name: string;
  /** `plugin_cmd`: the program of an external plugin; undefined for a built-in one. */
  readonly command?: string | undefined;
  /** `plugin_data`; undefined if there is none or it is empty. */
  readonly data?: Settings | undefined;
  /** `plugin_data_file` as it is written, since SPIRE names it so: where the data is instead. */
  readonly dataFile?: string | undefined;
};
