import { unixSeconds } from '../../base/clock.ts';
import { type ClientTls, type DialOptions, dial } from '../../rpc/dial.ts';
import type { Bundle } from '../../spiffe/bundle.ts';
import { tlsIdentity } from '../attest/agent-svid.ts';
import type { CurrentSvid } from '../attest/current-svid.ts';
import type { AgentCoreOptions } from '../core-options.ts';
import { ServerConnection } from './server-connection.ts';
import { verifyServer } from './server-identity.ts';

/** The agent's connection, with the SVID and the bundle of the time at which it is made. */
export const connectionOf = (
  options: AgentCoreOptions,
  current: CurrentSvid,
  bundle: () => Bundle,
): ServerConnection =>
  new ServerConnection({
    address: addressOf(options),
    tls: {
      identity: () => tlsIdentity(current.value),
      verify: verifier(options, bundle),
      postQuantumOnly: options.requirePostQuantum,
    },
    dial: dialer(options),
  });

/** The server may have to be reached through a proxy (`reference/agent.md` §2.8). */
export const dialer =
  ({ environment, tracer }: AgentCoreOptions) =>
  (options: DialOptions) =>
    dial({ ...options, proxyVariables: environment, tracer });

export const verifier =
  ({ clock }: AgentCoreOptions, bundle: () => Bundle): ClientTls['verify'] =>
  (chain) =>
    verifyServer(chain, bundle(), unixSeconds(clock));

export const addressOf = ({ serverHost, serverPort }: AgentCoreOptions): string =>
  serverHost.includes(':') ? `[${serverHost}]:${serverPort}` : `${serverHost}:${serverPort}`;
