import { compareBytewise } from './compare-bytewise.ts';

/**
 * One line of JSON as SPIRE's commands print it (`reference/cli.md` §2.2): members sorted bytewise, null members and
 * elements left out, and what HTML could mistake escaped.
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) {
    return `[${value.filter(present).map(canonicalJson).join(',')}]`;
  }
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value)
      .filter(([, member]) => present(member))
      .sort(([a], [b]) => compareBytewise(a, b))
      .map(([name, member]) => `${escapedJson(name)}:${canonicalJson(member)}`);
    return `{${members.join(',')}}`;
  }
  return escapedJson(value);
}

/** JSON in the order of declaration, as the three commands print it whose answer is no message. */
export const structJson = (value: unknown): string => escapedJson(value);

const present = (value: unknown): boolean => value !== null && value !== undefined;

const ESCAPED = /[<>&\u2028\u2029]/g;

const escapedJson = (value: unknown): string =>
  JSON.stringify(value).replace(
    ESCAPED,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
