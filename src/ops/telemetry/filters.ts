import type { TelemetrySettings } from '../telemetry-settings.ts';

/**
 * Of the listed beginnings of a key (`spire_server.rpc`) the longest that fits decides; one that both lists have
 * blocks, and where none fits the key is allowed (`reference/server.md` §4.1).
 */
export function prefixFilter({
  allowedPrefixes,
  blockedPrefixes,
}: Pick<TelemetrySettings, 'allowedPrefixes' | 'blockedPrefixes'>): (key: string) => boolean {
  const rules = new Map<string, boolean>([
    ...allowedPrefixes.map((prefix) => [prefix, true] as const),
    ...blockedPrefixes.map((prefix) => [prefix, false] as const),
  ]);
  const longestFirst = [...rules].toSorted(([a], [b]) => b.length - a.length);
  return (key) => longestFirst.find(([prefix]) => key.startsWith(prefix))?.[1] ?? true;
}

/** A blocked label is never shown; where any are allowed, only these are. */
export function labelFilter({
  allowedLabels,
  blockedLabels,
}: Pick<TelemetrySettings, 'allowedLabels' | 'blockedLabels'>): (name: string) => boolean {
  const blocked = new Set(blockedLabels);
  const allowed = new Set(allowedLabels);
  return (name) => !blocked.has(name) && (allowed.size === 0 || allowed.has(name));
}
