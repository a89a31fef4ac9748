import { Fault, reasonOf } from '../../base/fault.ts';
import { readFileBounded } from '../../base/files.ts';
import { discardingLog } from '../../ops/open-log.ts';
import { loadServerConfig, unsupportedServerSettings } from '../../server/config.ts';
import { type PluginNotes, validateServerPlugins } from '../../server/validate-plugins.ts';
import { makeCommand } from '../kit/command.ts';
import { configEnv } from '../kit/config-env.ts';
import { withAllProblems } from '../kit/config-problems.ts';
import type { Env } from '../kit/env.ts';
import { unsupportedRemark } from '../kit/unsupported.ts';
import { runFlags } from './run-flags.ts';

const INVALID = 'SPIRE server configuration file is invalid';

/** Whoever validates waits no longer for a plugin. */
const TIMEOUT_MILLISECONDS = 30_000;

export const validate = makeCommand({
  name: 'validate',
  flags: runFlags,
  sharedFlags: {},
  kind: {
    flagFailure: (reason) => `${INVALID}: ${reason}\n`,
    failure: (reason) => `${INVALID}: ${reason}\n`,
  },
  async run(flags, _shared, env) {
    // The log is for whoever runs the server, unless it has a file of its own.
    await using configuring = configEnv(env, async (settings) =>
      settings.file === undefined
        ? discardingLog(settings.level)
        : await env.host.openLog(settings),
    );
    const config = await loadServerConfig(flags, configuring).catch(withAllProblems);
    let notes: PluginNotes;
    try {
      notes = await withTimeout(validateServerPlugins(config, readFileBounded), env);
    } catch (error) {
      env.stderr.write(`Could not validate configuration file: ${reasonOf(error)}`);
      return 1;
    }
    if (notes.size > 0) {
      env.stderr.write(`${INVALID}.\nValidation errors:\n${notesText(notes)}`);
      return 1;
    }
    env.stdout.write('SPIRE server configuration file is valid.\n');
    env.stderr.write(unsupportedRemark(unsupportedServerSettings(config)));
    return 0;
  },
});

/** Time is up for plugins that ask something of the network or of a disk that is gone. */
async function withTimeout<T>(work: Promise<T>, { clock }: Pick<Env, 'clock'>): Promise<T> {
  const done = new AbortController();
  const timeout = clock.sleep(TIMEOUT_MILLISECONDS, done.signal).then(
    () => {
      throw new Fault('deadline', 'context deadline exceeded');
    },
    () => work,
  );
  try {
    return await Promise.race([work, timeout]);
  } finally {
    done.abort();
  }
}

const notesText = (notes: PluginNotes): string =>
  [...notes]
    .map(([plugin, texts]) => `\t${plugin}:\n${texts.map((text) => `\t\t${text}\n`).join('')}`)
    .join('');
