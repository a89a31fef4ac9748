import { firstOf, type Located } from '../../base/located.ts';
import type { RawLog } from '../../ops/log-config.ts';
import type { ServerFlags } from './flags.ts';
import type { ServerReading } from './reading.ts';

/** What the command line, the file and the defaults say together, key by key; the former count more. */
export type MergedServer = {
  readonly trustDomain: Located;
  readonly dataDir: Located;
  readonly bindAddress: Located;
  readonly bindPort: { readonly value: number; readonly position: Located['position'] };
  readonly socketPath: string;
  readonly log: RawLog;
};

const DEFAULT_BIND_ADDRESS = '0.0.0.0';
const DEFAULT_BIND_PORT = 8081;
const DEFAULT_SOCKET_PATH = '/tmp/spire-server/private/api.sock';
const DEFAULT_LOG_LEVEL = 'INFO';

export function mergeServer({ server, at }: ServerReading, flags: ServerFlags): MergedServer {
  const located = (flag: string | undefined, key: string, text: string, initial?: string) =>
    firstOf(flag, { text, position: at(key) }, initial);
  const port = Number(flags.serverPort ?? 0);
  return {
    trustDomain: located(flags.trustDomain, 'trust_domain', server.trustDomain),
    dataDir: located(flags.dataDir, 'data_dir', server.dataDir),
    bindAddress: located(
      flags.bindAddress,
      'bind_address',
      server.bindAddress,
      DEFAULT_BIND_ADDRESS,
    ),
    bindPort:
      port === 0
        ? { value: server.bindPort || DEFAULT_BIND_PORT, position: at('bind_port') }
        : { value: port, position: undefined },
    socketPath: flags.socketPath || server.socketPath || DEFAULT_SOCKET_PATH,
    log: {
      level: located(flags.logLevel, 'log_level', server.logLevel, DEFAULT_LOG_LEVEL),
      format: located(flags.logFormat, 'log_format', server.logFormat),
      file: located(flags.logFile, 'log_file', server.logFile),
      sourceLocation: flags.logSourceLocation === true || server.logSourceLocation,
    },
  };
}
