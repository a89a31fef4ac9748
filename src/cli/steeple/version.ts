import { SPIRE_VERSION, STEEPLE_VERSION } from '../../ops/version.ts';
import { makeCommand } from '../kit/command.ts';
import { createOut } from '../kit/out.ts';
import { outputFlag } from '../kit/output-flag.ts';

export const version = makeCommand({
  name: 'version',
  flags: { output: outputFlag },
  sharedFlags: {},
  kind: { flagFailure: () => '', failure: (reason) => `Error: ${reason}\n` },
  async run({ output }, _shared, env) {
    createOut(env, output).printStruct(
      { steeple: STEEPLE_VERSION, spire: SPIRE_VERSION },
      ({ steeple, spire }) => `Steeple ${steeple}, in place of SPIRE ${spire}\n`,
    );
  },
});
