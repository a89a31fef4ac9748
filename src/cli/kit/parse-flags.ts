import { Fault, reasonOf } from '../../base/fault.ts';
import { goQuote } from '../../base/go-quote.ts';
import type { Flag, Flags, FlagValues } from './flag.ts';

/** `-h` or `-help` where a flag may stand and no such flag is defined. */
export class HelpRequested extends Error {
  constructor() {
    super('flag: help requested');
  }
}

/**
 * Reads arguments by the rules of Go's flag package (`reference/cli.md` §1.4), up to the first that is no flag.
 * Throws 'invalid' with the text that SPIRE prints before the usage block, or HelpRequested.
 */
export function parseFlags<F extends Flags>(flags: F, args: readonly string[]): FlagValues<F> {
  const values = initialValues(flags);
  let rest = args;
  for (;;) {
    const [first, ...others] = rest;
    if (first === undefined || first.length < 2 || !first.startsWith('-') || first === '--') break;
    rest = takeFlag(flags, values, first, others);
  }
  return Object.fromEntries(values) as FlagValues<F>;
}

function initialValues(flags: Flags): Map<string, unknown> {
  return new Map(
    Object.entries(flags).flatMap(([name, spec]) =>
      'aliasOf' in spec ? [] : [[name, spec.initial] as const],
    ),
  );
}

/** Reads one flag and returns the arguments after it and its value. */
function takeFlag(
  flags: Flags,
  values: Map<string, unknown>,
  argument: string,
  rest: readonly string[],
): readonly string[] {
  const text = argument.slice(argument.startsWith('--') ? 2 : 1);
  if (text === '' || text.startsWith('-') || text.startsWith('=')) {
    throw new Fault('invalid', `bad flag syntax: ${argument}`);
  }
  const equals = text.indexOf('=');
  const name = equals === -1 ? text : text.slice(0, equals);
  const given = equals === -1 ? undefined : text.slice(equals + 1);
  const { target, spec } = lookUp(flags, name);
  const store = (value: string, wrong: string): void => {
    try {
      values.set(target, spec.set(value, values.get(target)));
    } catch (error) {
      throw new Fault('invalid', `${wrong}: ${reasonOf(error)}`, { cause: error });
    }
  };
  if (spec.standsAlone) {
    store(given ?? 'true', `invalid boolean value ${goQuote(given ?? 'true')} for -${name}`);
    return rest;
  }
  const [next, ...after] = rest;
  const value = given ?? next;
  if (value === undefined) throw new Fault('invalid', `flag needs an argument: -${name}`);
  store(value, `invalid value ${goQuote(value)} for flag -${name}`);
  return given === undefined ? after : rest;
}

function lookUp(flags: Flags, name: string): { target: string; spec: Flag<unknown> } {
  const found = Object.hasOwn(flags, name) ? flags[name] : undefined;
  if (found === undefined) {
    if (name === 'h' || name === 'help') throw new HelpRequested();
    throw new Fault('invalid', `flag provided but not defined: -${name}`);
  }
  if (!('aliasOf' in found)) return { target: name, spec: found };
  return { target: found.aliasOf, spec: lookUp(flags, found.aliasOf).spec };
}
