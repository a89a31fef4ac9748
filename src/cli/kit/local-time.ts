import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { goZonedTimeText } from './go-time.ts';
import { readZoneFile } from './zone-file.ts';

const ZONE_FOLDER = '/usr/share/zoneinfo';
const SYSTEM_ZONE = '/etc/localtime';

/** Prints Unix seconds as Go prints a time in the local zone: `2026-03-01 11:00:00 +0100 CET`. */
export type LocalTime = (unixSeconds: bigint) => string;

/**
 * The zone of `TZ`, else the system's. The offset is Node's, which follows the same variable; what the zone calls
 * itself stands only in its file. Where there is none, UTC is meant.
 */
export async function localTime(
  zoneName: string | undefined,
  offsetAt: (unixSeconds: bigint) => number = nodeOffset,
): Promise<LocalTime> {
  const content = await readFile(zonePath(zoneName)).catch(() => undefined);
  const zone = content && readZoneFile(content);
  return (unixSeconds) => {
    if (zone === undefined) return goZonedTimeText(unixSeconds, 0, 'UTC');
    const offset = offsetAt(unixSeconds);
    return goZonedTimeText(unixSeconds, offset, zone.abbreviation(unixSeconds, offset));
  };
}

function zonePath(zoneName: string | undefined): string {
  if (zoneName === undefined) return SYSTEM_ZONE;
  const name = zoneName.replace(/^:/, '');
  return name.startsWith('/') ? name : join(ZONE_FOLDER, name === '' ? 'UTC' : name);
}

/** Seconds east of Greenwich; beyond what a Date holds, those of its last moment. */
function nodeOffset(unixSeconds: bigint): number {
  const milliseconds = Math.max(-MAX_DATE, Math.min(Number(unixSeconds) * 1000, MAX_DATE));
  return -new Date(milliseconds).getTimezoneOffset() * 60 + 0;
}

const MAX_DATE = 8.64e15;
