import { reasonOf } from '../base/fault.ts';
import type { Settings } from '../base/settings.ts';
import type { Log } from '../ops/log.ts';
import type { Exchangeable } from './exchangeable.ts';
import { readPluginData } from './plugin-data.ts';

/** A plugin whose settings are in a file of their own. */
export type Reconfigurable = {
  /** Reads the file again. Logs what came of it, and never rejects: a plugin that refuses goes on as it was. */
  reconfigure(): Promise<void>;
};

/** The plugins that take changed settings while the program runs (`reference/server.md` §3). */
export interface Reconfigurer {
  add(plugin: Reconfigurable): void;
  /** For the signal. Rounds come one after another; all that are asked for during one are the next one. */
  reconfigure(): void;
}

export function createReconfigurer(parent: Log): Reconfigurer {
  const log = parent.child({ subsystem_name: 'reconfigurer' });
  const plugins: Reconfigurable[] = [];
  const asked = { running: false, again: false };

  const run = async (): Promise<void> => {
    asked.running = true;
    while (asked.again) {
      asked.again = false;
      for (const plugin of plugins) await plugin.reconfigure();
    }
    asked.running = false;
  };
  return {
    add(plugin) {
      plugins.push(plugin);
    },
    reconfigure() {
      log.info('Reconfigure signal received');
      asked.again = true;
      if (!asked.running) void run();
    },
  };
}

export type ReconfigurableParts<Contract> = {
  readonly dataFile: string;
  /** Of the settings that it has. */
  readonly hash: string | undefined;
  readonly configure: (settings: Settings | undefined) => Promise<Contract>;
  readonly held: Pick<Exchangeable<Contract>, 'exchange'>;
  readonly log: Log;
};

/** Changed settings make another plugin, which takes the place of the one before once it has accepted them. */
export function reconfigurable<Contract>(parts: ReconfigurableParts<Contract>): Reconfigurable {
  const { dataFile, configure, held, log } = parts;
  let current = parts.hash;
  return {
    async reconfigure() {
      try {
        const { settings, hash } = await readPluginData({ dataFile });
        if (hash === current) {
          log.info('Plugin not reconfigured since the config is unchanged', { hash });
          return;
        }
        held.exchange(await configure(settings));
        log.info('Plugin reconfigured', { old_hash: current, new_hash: hash });
        current = hash;
      } catch (error) {
        log.error('Failed to reconfigure plugin', { error: reasonOf(error) });
      }
    },
  };
}
