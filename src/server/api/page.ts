import { Fault, reasonOf } from '../../base/fault.ts';
import type { Row } from '../datastore/contract.ts';
import { pageOf } from '../registry/paging.ts';

export type PageRequest = { readonly pageSize: number; readonly pageToken: string };

export type AnswerPage<T> = { readonly values: readonly T[]; readonly nextPageToken: string };

/**
 * The part of a list that was asked for; all of it where the size is not positive, whatever the token says
 * (`reference/server.md` §14.1). Throws 'internal' for a token that is none, with `failure` before it.
 */
export function answerPage<T>(
  rows: readonly Row<T>[],
  { pageSize, pageToken }: PageRequest,
  failure: string,
): AnswerPage<T> {
  if (pageSize <= 0) return { values: rows.map(({ value }) => value), nextPageToken: '' };
  try {
    const page = pageOf(rows, { size: pageSize, token: pageToken });
    return { values: page.rows.map(({ value }) => value), nextPageToken: page.nextToken };
  } catch (error) {
    throw new Fault('internal', `${failure}${reasonOf(error)}`, { cause: error });
  }
}
