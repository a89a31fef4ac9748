import type { Authority } from './authority.ts';

const DAY = 24 * 60 * 60;
/** A successor is made in the second half of a life, but no earlier than so long before its end. */
const EARLIEST_PREPARATION = 30 * DAY;
/** It takes over in the last sixth of a life, but no earlier than so long before its end. */
const EARLIEST_ACTIVATION = 7 * DAY;

type Life = Pick<Authority, 'issuedAt' | 'notAfter'>;

/** After this moment (Unix seconds) the successor must be prepared (`reference/server.md` §6.1). */
export const prepareTime = (life: Life): number =>
  life.notAfter - Math.min(lifetime(life) / 2, EARLIEST_PREPARATION);

/** After this moment (Unix seconds) the successor takes over. */
export const activateTime = (life: Life): number =>
  life.notAfter - Math.min(lifetime(life) / 6, EARLIEST_ACTIVATION);

const lifetime = ({ issuedAt, notAfter }: Life): number => notAfter - issuedAt;
