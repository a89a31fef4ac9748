import {
  create,
  type DescMessage,
  type DescService,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf';
import type { Clock } from '../../src/base/clock.ts';
import { Fault } from '../../src/base/fault.ts';
import type { Command } from '../../src/cli/kit/command.ts';
import type { Env, Host } from '../../src/cli/kit/env.ts';
import type { CallOptions, Client, DialOptions } from '../../src/rpc/dial.ts';
import { VirtualClock } from './clock.ts';

type Answer<M> = M extends { methodKind: 'unary'; input: infer I; output: infer O }
  ? I extends DescMessage
    ? O extends DescMessage
      ? (
          request: MessageShape<I>,
          options: CallOptions,
        ) => MessageInitShape<O> | Promise<MessageInitShape<O>>
      : never
    : never
  : M extends { methodKind: 'server_streaming'; input: infer I; output: infer O }
    ? I extends DescMessage
      ? O extends DescMessage
        ? (request: MessageShape<I>, options: CallOptions) => AsyncIterable<MessageInitShape<O>>
        : never
      : never
    : never;

export type Answers<S extends DescService> = {
  readonly [K in keyof S['method']]?: Answer<S['method'][K]>;
};
export type FakeService = { readonly service: DescService; readonly client: unknown };

type AnyAnswer = (request: unknown, options: CallOptions) => unknown;

/** A client of a service that answers as told; what a method throws is what a failed call rejects with. */
export function fakeService<S extends DescService>(service: S, answers: Answers<S>): FakeService {
  const client = service.methods.map((method) => {
    const answer = (answers as Record<string, AnyAnswer | undefined>)[method.localName];
    const asked = (request: unknown, options: CallOptions): unknown => {
      if (answer === undefined) throw new Fault('unimplemented', `no answer to ${method.name}`);
      return answer(create(method.input, request as MessageInitShape<DescMessage>), options);
    };
    const shaped = (value: unknown) =>
      create(method.output, value as MessageInitShape<DescMessage>);
    const call =
      method.methodKind === 'unary'
        ? async (request: unknown, options: CallOptions) => shaped(await asked(request, options))
        : async function* (request: unknown, options: CallOptions) {
            for await (const value of asked(request, options) as AsyncIterable<unknown>) {
              yield shaped(value);
            }
          };
    return [method.localName, call] as const;
  });
  return { service, client: Object.fromEntries(client) };
}

/** For commands that need nothing of the machine. */
const none = (): never => {
  throw new Error('not faked');
};
const noHost: Host = {
  readFile: none,
  resolveHost: none,
  openLog: none,
  umask: none,
  inspected: none,
  homeFolder: none,
  launcher: none,
  onBug: none,
  exit: none,
};

export type World = {
  readonly host?: Host;
  readonly services?: readonly FakeService[];
  readonly stdin?: string;
  readonly variables?: Readonly<Record<string, string>>;
  readonly clock?: Clock;
  /** Gets the way to send a signal, once the command listens for it. */
  readonly onListening?: (send: () => void) => void;
};

export type Outcome = {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** What was dialled. */
  readonly dialled: readonly DialOptions[];
};

/** An environment in memory, and what a command did with it. */
export function fakeEnv(args: readonly string[], world: World = {}) {
  const said = { stdout: '', stderr: '' };
  const dialled: DialOptions[] = [];
  const env: Env = {
    args,
    variables: world.variables ?? {},
    cwd: '/somewhere',
    stdout: { write: (text) => void (said.stdout += text) },
    stderr: { write: (text) => void (said.stderr += text) },
    readStdin: async () => Buffer.from(world.stdin ?? ''),
    clock: world.clock ?? new VirtualClock(),
    dial: async (options) => {
      dialled.push(options);
      return {
        client: <S extends DescService>(service: S) => {
          const fake = world.services?.find((candidate) => candidate.service === service);
          if (fake === undefined) throw new Error(`${service.typeName} is not faked`);
          return fake.client as Client<S>;
        },
        [Symbol.dispose]() {},
      };
    },
    signals: {
      on(_names, listener) {
        world.onListening?.(() => {
          listener();
        });
        return { [Symbol.dispose]() {} };
      },
    },
    host: world.host ?? noHost,
  };
  return { env, outcome: (code: number): Outcome => ({ code, ...said, dialled }) };
}

/** Runs a command in memory. */
export async function runCommand(
  command: Command,
  args: readonly string[],
  world: World = {},
): Promise<Outcome> {
  const { env, outcome } = fakeEnv(args, world);
  return outcome(await command.run(args, env));
}
