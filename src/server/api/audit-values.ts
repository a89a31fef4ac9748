import { hash } from 'node:crypto';

/** How the audit log tells bytes apart without showing them; empty for empty input. */
export const sha256Hex = (bytes: Uint8Array): string =>
  bytes.length === 0 ? '' : hash('sha256', bytes, 'hex');

/** A list in one field. */
export const commaList = (values: readonly string[]): string => values.join(',');

/** RFC 3339 in whole seconds, UTC, as Go formats it. */
export const rfc3339 = (unixSeconds: number): string =>
  new Date(unixSeconds * 1000).toISOString().replace('.000Z', 'Z');
