import { Fault } from '../../base/fault.ts';

/** A base prefix, digits; underscores only between digits or after the prefix, as in Go source. */
const BASES: readonly { readonly form: RegExp; readonly base: (digits: string) => string }[] = [
  { form: /^0[xX](?:_?[0-9a-fA-F])+$/, base: (text) => `0x${text.slice(2)}` },
  { form: /^0[bB](?:_?[01])+$/, base: (text) => `0b${text.slice(2)}` },
  { form: /^0[oO](?:_?[0-7])+$/, base: (text) => `0o${text.slice(2)}` },
  { form: /^0(?:_?[0-7])+$/, base: (text) => `0o${text.slice(1)}` },
  { form: /^(?:0|[1-9](?:_?[0-9])*)$/, base: (text) => text },
];

const MAX_INT64 = 2n ** 63n - 1n;

/**
 * A 64-bit integer as Go's flag package reads it: `0x10`, `0o7`, `0b1`, `1_000`. Throws 'invalid' with Go's
 * reason.
 */
export function parseGoInt(text: string): bigint {
  const negative = text.startsWith('-');
  const unsigned = /^[+-]/.test(text) ? text.slice(1) : text;
  const row = BASES.find(({ form }) => form.test(unsigned));
  if (row === undefined) throw new Fault('invalid', 'parse error');
  const magnitude = BigInt(row.base(unsigned).replaceAll('_', ''));
  if (magnitude > MAX_INT64 + (negative ? 1n : 0n)) {
    throw new Fault('invalid', 'value out of range');
  }
  return negative ? -magnitude : magnitude;
}
