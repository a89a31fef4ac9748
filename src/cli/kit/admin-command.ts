import { type Api, openApi, type Services } from './api.ts';
import { type Command, makeCommand } from './command.ts';
import type { Env } from './env.ts';
import { type Flags, type FlagValues, flag } from './flag.ts';
import { createOut, type Out } from './out.ts';
import { outputFlag } from './output-flag.ts';
import { serverKind } from './server-command.ts';
import { adminSocket, socketAddress } from './socket-path.ts';

/** What a command of the admin socket gets besides its flags. */
export type AdminCall<S extends Services> = Pick<Env, 'clock'> & {
  readonly api: Api<S>;
  readonly out: Out;
};

export type AdminCommandParts<F extends Flags, S extends Services> = {
  readonly name: string;
  readonly flags: F;
  readonly services: S;
  run(flags: FlagValues<F>, call: AdminCall<S>): Promise<void>;
};

/** A command that talks to the agent's admin socket and prints its answer as text or JSON. */
export const adminCommand = <F extends Flags, S extends Services>(
  parts: AdminCommandParts<F, S>,
): Command =>
  makeCommand({
    ...parts,
    sharedFlags: {
      socketPath: flag.string('Path of the agent’s admin socket', adminSocket.defaultPath),
      output: outputFlag,
    },
    kind: serverKind,
    async run(flags, { socketPath, output }, env) {
      const path = socketPath || adminSocket.defaultPath;
      using channel = await env.dial(socketAddress(adminSocket, path, env));
      await parts.run(flags, {
        api: openApi(channel, parts.services),
        out: createOut(env, output),
        clock: env.clock,
      });
    },
  });
