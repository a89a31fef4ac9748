import { type Api, openApi, type Services } from './api.ts';
import { type Command, type CommandKind, makeCommand } from './command.ts';
import type { Env } from './env.ts';
import { type Flags, type FlagValues, flag } from './flag.ts';
import { createOut, type Out } from './out.ts';
import { outputFlag } from './output-flag.ts';
import { type SocketFlags, socketAddress, socketPath, workloadSocket } from './socket-path.ts';

/** What a command gets that talks to the agent's public socket. */
export type WorkloadCall<S extends Services> = Pick<Env, 'clock' | 'signals'> & {
  readonly api: Api<S>;
  readonly out: Out;
};

export type WorkloadCommandParts<F extends Flags, S extends Services> = {
  readonly name: string;
  readonly usageTitle?: string;
  readonly flags: F;
  readonly services: S;
  run(flags: FlagValues<F>, call: WorkloadCall<S>): Promise<number | void>;
};

/** Failures stand alone on their line, and that of a flag is told twice, as SPIRE does. */
const workloadKind: CommandKind = {
  flagFailure: (reason) => `${reason}\n`,
  failure: (reason) => `${reason}\n`,
};

export const workloadEndpointFlags = {
  socketPath: flag.string('Path of the Workload API socket', workloadSocket.defaultPath),
  instance: flag.string(`Instance that stands for %i in ${workloadSocket.templateVariable}`),
};

const DEFAULT_TIMEOUT_NANOSECONDS = 5_000_000_000n;
const timeoutFlag = flag.durationValue(
  'Time to wait for an answer; 0 waits for ever',
  DEFAULT_TIMEOUT_NANOSECONDS,
);

/** Every call to the Workload API says that it means to make one. */
const SECURITY_HEADER = { 'workload.spiffe.io': 'true' };

/** A command that asks the Workload API once, and prints the answer as text or JSON. */
export function workloadCommand<F extends Flags, S extends Services>(
  parts: WorkloadCommandParts<F, S>,
): Command {
  return makeCommand({
    ...parts,
    sharedFlags: { ...workloadEndpointFlags, timeout: timeoutFlag, output: outputFlag },
    kind: { ...workloadKind, helpText: '' },
    async run(flags, shared, env) {
      using channel = await dialWorkloadApi(shared, env);
      const timeout = shared.timeout > 0n && {
        timeoutMilliseconds: Number(shared.timeout) / 1_000_000,
      };
      const api = openApi(channel, parts.services, () => ({
        headers: SECURITY_HEADER,
        ...timeout,
      }));
      const { clock, signals } = env;
      return await parts.run(flags, { api, out: createOut(env, shared.output), clock, signals });
    },
  });
}

/** A command that listens to the Workload API for as long as it likes. */
export function workloadStreamCommand<F extends Flags, S extends Services>(
  parts: WorkloadCommandParts<F, S>,
): Command {
  return makeCommand({
    ...parts,
    sharedFlags: workloadEndpointFlags,
    kind: workloadKind,
    async run(flags, shared, env) {
      using channel = await dialWorkloadApi(shared, env);
      const api = openApi(channel, parts.services, () => ({ headers: SECURITY_HEADER }));
      const { clock, signals } = env;
      return await parts.run(flags, { api, out: createOut(env), clock, signals });
    },
  });
}

export const dialWorkloadApi = (flags: SocketFlags, env: Env): ReturnType<Env['dial']> =>
  env.dial(socketAddress(workloadSocket, socketPath(workloadSocket, flags, env), env));
