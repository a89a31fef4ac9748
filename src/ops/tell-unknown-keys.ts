import type { Problems } from '../base/problems.ts';
import { type KeyAudit, keyNames } from '../base/unknown-keys.ts';
import type { Log } from './log.ts';

/**
 * Refuses keys that nobody knows where SPIRE does, which logs them first, and warns of those that it passes over
 * (`reference/server.md` §1.5).
 */
export function tellUnknownKeys(audit: KeyAudit, problems: Problems, log: Log): void {
  for (const { section, keys } of audit.tolerated()) {
    log.warn('Unknown configuration is ignored', { section, keys: keyNames(keys) });
  }
  const refused = audit.refused();
  if (refused.length === 0) return;
  if (problems.none) {
    for (const { section, keys } of refused) {
      log.error('Unknown configuration detected', { section, keys: keyNames(keys) });
    }
  }
  problems.add('unknown configuration detected');
  for (const { section, keys } of refused) {
    for (const { name, position } of keys) {
      problems.add(`unknown key "${name}" in section ${section}`, position);
    }
  }
}
