import { reasonOf } from '../../base/fault.ts';
import type { Env } from './env.ts';
import { installCompletion, uninstallCompletion } from './shell-setup.ts';

/**
 * `-autocomplete-install` and `-autocomplete-uninstall` (`reference/cli.md` §1.1): has the account's shells complete
 * command lines, or undoes that. The result is the exit code.
 */
export async function setUpShells(
  program: string,
  { install, uninstall }: { readonly install: boolean; readonly uninstall: boolean },
  { variables, host, stderr, clock }: Pick<Env, 'variables' | 'host' | 'stderr' | 'clock'>,
): Promise<number> {
  const tell = (text: string) => {
    stderr.write(`${logDate(clock.now())} ${text}\n`);
  };
  if (install && uninstall) {
    tell('-autocomplete-install and -autocomplete-uninstall exclude each other');
    return 1;
  }
  const setup = {
    program,
    launcher: host.launcher(program),
    home: host.homeFolder(),
    configHome: variables['XDG_CONFIG_HOME'],
  };
  try {
    await (install ? installCompletion : uninstallCompletion)(setup);
    return 0;
  } catch (error) {
    tell(reasonOf(error));
    return 1;
  }
}

/** The local time as Go's plain logger writes it: `2006/01/02 15:04:05`. */
function logDate(milliseconds: number): string {
  const offset = new Date(milliseconds).getTimezoneOffset() * 60_000;
  return new Date(milliseconds - offset)
    .toISOString()
    .slice(0, 19)
    .replaceAll('-', '/')
    .replace('T', ' ');
}
