import { Fault } from '../../base/fault.ts';
import type { Row } from '../datastore/contract.ts';

export type Page = { readonly size: number; readonly token: string };

/**
 * One page of a list in row order (`reference/server.md` §8.3): the token is the number of the last row in decimal, and is
 * set whenever the page has rows. Throws 'invalid' for a token that is not a 64-bit unsigned number.
 */
export function pageOf<T>(
  rows: readonly Row<T>[],
  { size, token }: Page,
): { readonly rows: readonly Row<T>[]; readonly nextToken: string } {
  if (size === 0) throw new Fault('invalid', 'cannot paginate with pagesize = 0');
  const start = token === '' ? 0 : firstAfter(rows, parseToken(token));
  const page = rows.slice(start, start + size);
  return { rows: page, nextToken: String(page.at(-1)?.rowId ?? '') };
}

const MAX_TOKEN = 2n ** 64n - 1n;

function parseToken(token: string): number {
  if (!/^[0-9]{1,40}$/.test(token) || BigInt(token) > MAX_TOKEN) {
    throw new Fault('invalid', `could not parse token '${token}'`);
  }
  return Number(token);
}

/** The index of the first row with a greater number. */
export function firstAfter(rows: readonly Row<unknown>[], rowId: number): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((rows[middle]?.rowId ?? Number.POSITIVE_INFINITY) > rowId) high = middle;
    else low = middle + 1;
  }
  return low;
}
