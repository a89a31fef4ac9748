import type { Authority } from './authority.ts';

const MINUTE = 60;
const DAY = 24 * 60 * MINUTE;
/** A successor is made in the second half of a life, but no earlier than so long before its end. */
const EARLIEST_PREPARATION = 30 * DAY;
/** It takes over in the last sixth of a life, but no earlier than so long before its end. */
const EARLIEST_ACTIVATION = 7 * DAY;
/**
 * A successor that was made late is known for so long before it takes over: as often as bundles are fetched from
 * federated trust domains, and much oftener than agents fetch theirs.
 */
const MIN_NOTICE = 5 * MINUTE;

type Life = Pick<Authority, 'issuedAt' | 'notAfter'>;

/** After this moment (Unix seconds) the successor must be prepared (`reference/server.md` §6.1). */
export const prepareTime = (life: Life): number =>
  life.notAfter - Math.min(lifetime(life) / 2, EARLIEST_PREPARATION);

/** After this moment (Unix seconds) the successor takes over. */
export const activateTime = (life: Life): number =>
  life.notAfter - Math.min(lifetime(life) / 6, EARLIEST_ACTIVATION);

/**
 * Until this moment (Unix seconds) a successor waits that was made when the current one was already to be replaced:
 * by hand, or by a server that was away. SPIRE has it sign at once, when nobody can know it. Of what is left to the
 * current one it waits for no more than half.
 */
export const noticeTime = (current: Life, { issuedAt }: Pick<Authority, 'issuedAt'>): number =>
  issuedAt + Math.min(lifetime(current) / 12, MIN_NOTICE, (current.notAfter - issuedAt) / 2);

const lifetime = ({ issuedAt, notAfter }: Life): number => notAfter - issuedAt;
