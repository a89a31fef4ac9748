import { STEEPLE_VERSION } from '../../ops/version.ts';
import type { Program } from '../kit/program.ts';

/** What goes beyond SPIRE has its commands here, so that nothing of SPIRE's changes its meaning. */
export const steepleProgram: Program = {
  name: 'steeple',
  version: STEEPLE_VERSION,
  commands: {
    explain: {
      synopsis: 'Explains why a process has an identity, or none',
      load: async () => (await import('./explain.ts')).explain,
    },
    version: {
      synopsis: 'Prints our version and the SPIRE version that we stand in for',
      load: async () => (await import('./version.ts')).version,
    },
  },
};
