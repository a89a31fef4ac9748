import type { Settings } from '../base/settings.ts';
import type { KeyAudit } from '../base/unknown-keys.ts';

/** The `health_checks` section (`reference/server.md` §4.2); both programs know the same one. */
export type HealthSettings = {
  readonly listenerEnabled: boolean;
  /** Without brackets. */
  readonly bindAddress: string;
  /** As it is written: a number, or a service's name. */
  readonly bindPort: string;
  readonly readyPath: string;
  readonly livePath: string;
};

export function readHealthChecks(root: Settings, audit: KeyAudit): HealthSettings {
  const section = root.section('health_checks');
  audit.refuse('health check', section);
  const text = (key: string, initial: string): string => section?.string(key) || initial;
  return {
    listenerEnabled: section?.bool('listener_enabled') ?? false,
    bindAddress: text('bind_address', 'localhost').replace(/^\[|\]$/g, ''),
    bindPort: text('bind_port', '80'),
    readyPath: text('ready_path', '/ready'),
    livePath: text('live_path', '/live'),
  };
}
