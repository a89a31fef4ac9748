import type { Log } from '../../ops/log.ts';
import type { Env } from './env.ts';

/** What nobody but the owner and the group may do with our files. */
const REQUIRED = 0o027;

/** Adds what the umask lacks, and says so. */
export function setUmask(host: Pick<Env['host'], 'umask'>, log: Log): void {
  const current = host.umask();
  const safe = current | REQUIRED;
  if (safe === current) return;
  log.warn(`Current umask ${octal(current)} is too permissive; setting umask ${octal(safe)}`);
  host.umask(safe);
}

const octal = (mask: number): string => mask.toString(8).padStart(4, '0');
