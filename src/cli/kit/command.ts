import { Fault, reasonOf } from '../../base/fault.ts';
import type { Env } from './env.ts';
import type { Flags, FlagValues } from './flag.ts';
import { HelpRequested, parseFlags } from './parse-flags.ts';
import { usageBlock } from './usage.ts';

/** A command as the program's table knows it. */
export type Command = {
  /** The words that call it: `entry create`. */
  readonly name: string;
  readonly flags: Flags;
  /** The name in the head of the usage block. */
  readonly usageTitle: string;
  /** What help says after the usage block. */
  readonly helpText: string;
  /** Runs with the arguments after the name. Tells of failures itself; the result is the exit code. */
  run(args: readonly string[], env: Env): Promise<number>;
};

/** What all commands of one kind have in common. */
export type CommandKind = {
  readonly helpText?: string;
  /** What is told after the usage block when a flag is wrong; SPIRE's kinds of commands differ (cli.md §1.4). */
  readonly flagFailure: (reason: string) => string;
  /** What is told when the command failed. */
  readonly failure: (reason: string) => string;
};

export type CommandParts<Own extends Flags, Shared extends Flags> = {
  readonly name: string;
  readonly usageTitle?: string | undefined;
  readonly flags: Own;
  /** Flags that all commands of the kind have. */
  readonly sharedFlags: Shared;
  readonly kind: CommandKind;
  /** The exit code; nothing means 0. */
  run(own: FlagValues<Own>, shared: FlagValues<Shared>, env: Env): Promise<number | void>;
};

export function makeCommand<Own extends Flags, Shared extends Flags>(
  parts: CommandParts<Own, Shared>,
): Command {
  const { name, kind, usageTitle = name } = parts;
  const flags = { ...parts.flags, ...parts.sharedFlags };
  return {
    name,
    flags,
    usageTitle,
    helpText: kind.helpText ?? 'flag: help requested',
    async run(args, env) {
      let values: FlagValues<Own> & FlagValues<Shared>;
      try {
        values = parseFlags(flags, args) as typeof values;
      } catch (error) {
        const reason = reasonOf(error);
        if (!(error instanceof HelpRequested)) env.stderr.write(`${reason}\n`);
        env.stderr.write(usageBlock(usageTitle, flags));
        env.stderr.write(kind.flagFailure(reason));
        return 1;
      }
      try {
        return (await parts.run(values, values, env)) ?? 0;
      } catch (error) {
        env.stderr.write(kind.failure(failureText(error)));
        return 1;
      }
    },
  };
}

/** A Fault speaks to the user; anything else is a mistake of ours, and its stack is what helps. */
const failureText = (error: unknown): string =>
  error instanceof Error && !(error instanceof Fault)
    ? `internal error: ${error.stack ?? error.message}`
    : reasonOf(error);
