import { join } from 'node:path';
import type { ProfilingSettings } from './start-profiling.ts';

/** The keys as the configuration files of server and agent have them. */
export type RawProfiling = {
  readonly profilingEnabled: boolean;
  readonly profilingPort: number;
  readonly profilingFreq: number;
  readonly profilingNames: readonly string[];
};

/** undefined: it is not switched on. Dumps go where SPIRE's go, below the working directory. */
export const profilingSettings = (
  { profilingEnabled, profilingPort, profilingFreq, profilingNames }: RawProfiling,
  { cwd }: { readonly cwd: string },
): ProfilingSettings | undefined =>
  profilingEnabled
    ? {
        port: profilingPort,
        intervalSeconds: profilingFreq,
        names: profilingNames,
        folder: join(cwd, '.profiles'),
      }
    : undefined;
