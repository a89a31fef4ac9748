import { firstOf, type Located } from '../../base/located.ts';
import type { RawLog } from '../../ops/log-config.ts';
import type { AgentFlags } from './flags.ts';
import type { AgentReading } from './reading.ts';

/** What the command line, the file and the defaults say together, key by key; the former count more. */
export type MergedAgent = {
  readonly dataDir: string;
  readonly joinToken: Located;
  readonly joinTokenFile: Located;
  readonly serverAddress: string;
  readonly serverPort: { readonly value: number; readonly position: Located['position'] };
  readonly trustDomain: Located;
  readonly disableWorkloadApi: boolean;
  readonly disableSdsApi: boolean;
  readonly trustBundlePath: Located;
  readonly trustBundleUrl: Located;
  readonly trustBundleFormat: Located;
  readonly allowUnauthenticatedVerifiers: boolean;
  readonly insecureBootstrap: boolean;
  readonly rebootstrapMode: Located;
  readonly rebootstrapDelay: Located;
  readonly socketPath: string;
  readonly log: RawLog;
};

const DEFAULT_SOCKET_PATH = '/tmp/spire-agent/public/api.sock';

export function mergeAgent({ agent, at }: AgentReading, flags: AgentFlags): MergedAgent {
  const located = (flag: string | undefined, key: string, text: string, initial?: string) =>
    firstOf(flag, { text, position: at(key) }, initial);
  const port = Number(flags.serverPort ?? 0);
  return {
    dataDir: flags.dataDir || agent.dataDir || '.',
    joinToken: located(flags.joinToken, 'join_token', agent.joinToken),
    joinTokenFile: located(flags.joinTokenFile, 'join_token_file', agent.joinTokenFile),
    serverAddress: flags.serverAddress || agent.serverAddress,
    serverPort:
      port === 0
        ? { value: agent.serverPort, position: at('server_port') }
        : { value: port, position: undefined },
    trustDomain: located(flags.trustDomain, 'trust_domain', agent.trustDomain),
    disableWorkloadApi: flags.disableWorkloadAPI === true || agent.disableWorkloadApi,
    disableSdsApi: flags.disableSDSAPI === true || agent.disableSdsApi,
    trustBundlePath: located(flags.trustBundle, 'trust_bundle_path', agent.trustBundlePath),
    trustBundleUrl: located(flags.trustBundleUrl, 'trust_bundle_url', agent.trustBundleUrl),
    trustBundleFormat: located(
      flags.trustBundleFormat,
      'trust_bundle_format',
      agent.trustBundleFormat,
      'pem',
    ),
    allowUnauthenticatedVerifiers:
      flags.allowUnauthenticatedVerifiers === true || agent.allowUnauthenticatedVerifiers,
    insecureBootstrap: flags.insecureBootstrap === true || agent.insecureBootstrap,
    rebootstrapMode: located(
      flags.rebootstrapMode,
      'rebootstrap_mode',
      agent.rebootstrapMode,
      'never',
    ),
    rebootstrapDelay: located(
      flags.rebootstrapDelay,
      'rebootstrap_delay',
      agent.rebootstrapDelay,
      '10m',
    ),
    socketPath: flags.socketPath || agent.socketPath || DEFAULT_SOCKET_PATH,
    log: {
      level: located(flags.logLevel, 'log_level', agent.logLevel, 'INFO'),
      format: located(flags.logFormat, 'log_format', agent.logFormat),
      file: located(flags.logFile, 'log_file', agent.logFile),
      sourceLocation: flags.logSourceLocation === true || agent.logSourceLocation,
    },
  };
}
