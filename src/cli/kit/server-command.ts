import { type Api, openApi, type Services } from './api.ts';
import { type Command, type CommandKind, makeCommand } from './command.ts';
import type { Env } from './env.ts';
import { type Flags, type FlagValues, flag } from './flag.ts';
import { createOut, type Out } from './out.ts';
import { type OutputFormat, outputFlag } from './output-flag.ts';
import { type SocketFlags, serverSocket, socketAddress, socketPath } from './socket-path.ts';
import { noAddress } from './unreachable.ts';

/** What a command of the server gets besides its flags. */
export type ServerCall<S extends Services> = Pick<Env, 'clock' | 'readStdin' | 'variables'> & {
  readonly api: Api<S>;
  readonly out: Out;
};

export type ServerCommandParts<F extends Flags, S extends Services> = {
  readonly name: string;
  readonly usageTitle?: string;
  readonly flags: F;
  readonly services: S;
  run(flags: FlagValues<F>, call: ServerCall<S>): Promise<void>;
};

export const serverKind: CommandKind = {
  flagFailure: () => '',
  failure: (reason) => `Error: ${reason}\n`,
};

const endpointFlags = {
  socketPath: flag.string('Path of the server API socket', serverSocket.defaultPath),
  instance: flag.string(`Instance that stands for %i in ${serverSocket.templateVariable}`),
};

/** A command that talks to the server's own socket and prints its answer as text or JSON. */
export function serverCommand<F extends Flags, S extends Services>(
  parts: ServerCommandParts<F, S>,
): Command {
  return makeCommand({
    ...parts,
    sharedFlags: { ...endpointFlags, output: outputFlag },
    kind: serverKind,
    run: (flags, shared, env) => callServer(parts, flags, shared, shared.output, env),
  });
}

/** The same without `-output`, for answers that are words only. */
export function plainServerCommand<F extends Flags, S extends Services>(
  parts: ServerCommandParts<F, S>,
): Command {
  return makeCommand({
    ...parts,
    sharedFlags: endpointFlags,
    kind: serverKind,
    run: (flags, shared, env) => callServer(parts, flags, shared, 'pretty', env),
  });
}

async function callServer<F extends Flags, S extends Services>(
  parts: ServerCommandParts<F, S>,
  flags: FlagValues<F>,
  socket: SocketFlags,
  format: OutputFormat | undefined,
  env: Env,
): Promise<void> {
  const path = socketPath(serverSocket, socket, env);
  const address = socketAddress(serverSocket, path, env);
  using channel = path === '' ? noAddress : await env.dial(address);
  await parts.run(flags, {
    api: openApi(channel, parts.services),
    out: createOut(env, format),
    clock: env.clock,
    variables: env.variables,
    readStdin: () => env.readStdin(),
  });
}
