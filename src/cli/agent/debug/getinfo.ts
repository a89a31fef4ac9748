import { formatGoDuration } from '../../../base/duration.ts';
import {
  Debug,
  type GetInfoResponse,
  GetInfoResponseSchema,
} from '../../../wire/gen/spire/api/agent/debug/v1/debug_pb.ts';
import { adminCommand } from '../../kit/admin-command.ts';
import { debugChainText } from '../../kit/debug-chain.ts';
import { rfc3339Text } from '../../kit/go-time.ts';

export const debugGetInfo = adminCommand({
  name: 'debug getinfo',
  flags: {},
  services: { debug: Debug },
  async run(_flags, { api, out }) {
    out.print(GetInfoResponseSchema, await api.debug.getInfo({}), infoText);
  },
});

const infoText = (info: GetInfoResponse): string => {
  const { lastSyncSuccess } = info;
  const rows = [
    ['Uptime', formatGoDuration(BigInt(info.uptime) * 1_000_000_000n)],
    ['Last Sync Success', lastSyncSuccess === 0n ? '(never)' : rfc3339Text(lastSyncSuccess)],
    ['Cached X.509 SVIDs', info.cachedX509SvidsCount],
    ['Cached JWT SVIDs', info.cachedJwtSvidsCount],
    ['Cached SVID Store X.509 SVIDs', info.cachedSvidstoreX509SvidsCount],
  ] as const;
  const lines = rows.map(([label, value]) => `  ${`${label}:`.padEnd(LABEL_WIDTH)}${value}\n`);
  return `Agent Debug Info:\n${lines.join('')}${debugChainText(info.svidChain)}`;
};

const LABEL_WIDTH = 33;
