/** Go's layout `2006-01-02 15:04:05 -0700 -07`, with a fraction of a second if there is one. */
const LAYOUT = /^(\d{4}-\d\d-\d\d) (\d\d?:\d\d:\d\d)([.,]\d+)? [+-]\d{4} ([+-])(\d\d)$/;

/**
 * The time of the filter in Unix seconds, rounded up, so that "before it" still means the same; undefined where it
 * cannot be read, which SPIRE ignores (`reference/server.md` §14.4). Of the two offsets the last one counts.
 */
export function parseExpiresBefore(text: string): number | undefined {
  const [, date = '', time = '', fraction = '', sign = '', hours = ''] = LAYOUT.exec(text) ?? [];
  const iso = `${date}T${time.padStart(8, '0')}Z`;
  const local = Date.parse(iso);
  // Date.parse takes 30 February for 2 March, Go refuses it.
  if (Number.isNaN(local) || new Date(local).toISOString().slice(0, 10) !== date) return undefined;
  if (Number(hours) > 24 || time.startsWith('24')) return undefined;
  const offset = Number(hours) * 3600 * (sign === '-' ? -1 : 1);
  return local / 1000 - offset + (/[1-9]/.test(fraction) ? 1 : 0);
}
