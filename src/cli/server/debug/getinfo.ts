import { formatGoDuration } from '../../../base/duration.ts';
import {
  Debug,
  type GetInfoResponse,
  GetInfoResponseSchema,
} from '../../../wire/gen/spire/api/server/debug/v1/debug_pb.ts';
import { debugChainText } from '../../kit/debug-chain.ts';
import { serverCommand } from '../../kit/server-command.ts';

export const debugGetInfo = serverCommand({
  name: 'debug getinfo',
  flags: {},
  services: { debug: Debug },
  async run(_flags, { api, out }) {
    out.print(GetInfoResponseSchema, await api.debug.getInfo({}), infoText);
  },
});

const infoText = (info: GetInfoResponse): string => {
  const rows = [
    ['Uptime', formatGoDuration(BigInt(info.uptime) * 1_000_000_000n)],
    ['Registered Agents', info.agentsCount],
    ['Registration Entries', info.entriesCount],
    ['Federated Bundles', info.federatedBundlesCount],
  ] as const;
  const lines = rows.map(([label, value]) => `  ${`${label}:`.padEnd(LABEL_WIDTH)}${value}\n`);
  return `Server Debug Info:\n${lines.join('')}${debugChainText(info.svidChain)}`;
};

const LABEL_WIDTH = 25;
