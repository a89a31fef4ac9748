import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { reasonOf } from '../../base/fault.ts';
import { makeFolders } from '../../base/make-folders.ts';
import { repeat } from '../../base/repeat.ts';
import type { Log } from '../log.ts';
import { openProfiler, type ProfileName, type Profiler, profileNames } from './profiler.ts';
import { serveProfiles } from './serve-profiles.ts';
import type { ProfilingDeps, ProfilingSettings } from './start-profiling.ts';

/** As `startProfiling`, where profiles are wanted. */
export async function runProfiling(
  settings: ProfilingSettings,
  deps: Omit<ProfilingDeps, 'settings'>,
): Promise<AsyncDisposable> {
  const { clock, log } = deps;
  const opened = new AsyncDisposableStack();
  const names = readNames(settings, log);
  const profiler = opened.use(await openProfiler(clock));
  if (settings.port > 0) {
    try {
      const { address } = opened.use(await serveProfiles(profiler, settings.port));
      log.info('Serving profiles', { address: `${address.address}:${address.port}` });
    } catch (error) {
      log.warn('Profiles cannot be served', { error: reasonOf(error) });
    }
  }
  if (settings.intervalSeconds > 0 && names.length > 0) {
    opened.use(dumpAgainAndAgain(profiler, names, settings, deps));
  }
  return opened;
}

/** Those that there are; of the others some belong to Go's programs only. */
function readNames({ names }: ProfilingSettings, log: Log): readonly ProfileName[] {
  const missing = names.filter((name) => !(profileNames as readonly string[]).includes(name));
  if (missing.length > 0) {
    log.warn('Profiles that this program does not have are not written', {
      names: missing.join(','),
    });
  }
  return profileNames.filter((name) => names.includes(name));
}

/** The CPU is measured from one dump to the next. */
function dumpAgainAndAgain(
  profiler: Profiler,
  names: readonly ProfileName[],
  { intervalSeconds, folder }: ProfilingSettings,
  { program, clock, log }: Pick<ProfilingDeps, 'program' | 'clock' | 'log'>,
): AsyncDisposable {
  const stop = new AbortController();
  const { signal } = stop;
  const milliseconds = intervalSeconds * 1000;
  const take = {
    cpu: () => profiler.cpu(milliseconds, signal),
    heap: () => profiler.heap(),
  } satisfies Record<ProfileName, () => Promise<Uint8Array>>;

  const dump = async (name: ProfileName): Promise<boolean> => {
    try {
      const profile = await take[name]();
      await makeFolders(folder, 0o750);
      const file = `${stamp(clock.now())}_${program}_${name}.pb.gz`;
      // Never through a link that somebody has put there.
      await writeFile(join(folder, file), profile, { mode: 0o640, flag: 'wx' });
      return true;
    } catch (error) {
      if (!signal.aborted) log.warn('Profile was not written', { name, error: reasonOf(error) });
      return false;
    }
  };
  const loops = names.map(async (name) => {
    // Measuring time takes the whole interval; where it failed, nothing was waited for yet.
    let pause = name === 'cpu' ? 0 : milliseconds;
    await repeat({ clock, signal, milliseconds: () => pause }, async () => {
      const written = await dump(name);
      pause = name === 'cpu' && written ? 0 : milliseconds;
    });
  });
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await Promise.all(loops);
    },
  };
}

/** `2006-01-02_150405`, in local time. */
function stamp(milliseconds: number): string {
  const offset = new Date(milliseconds).getTimezoneOffset() * 60_000;
  const [date = '', time = ''] = new Date(milliseconds - offset).toISOString().split('T');
  return `${date}_${time.slice(0, 8).replaceAll(':', '')}`;
}
