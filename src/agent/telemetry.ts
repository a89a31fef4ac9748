import { unixSeconds } from '../base/clock.ts';
import { writePem } from '../crypto/pem.ts';
import { startTelemetry, type Telemetry } from '../ops/telemetry/start-telemetry.ts';
import { SPIRE_VERSION } from '../ops/version.ts';
import { SpiffeId } from '../spiffe/spiffe-id.ts';
import { verifyX509Svid } from '../spiffe/x509-svid.ts';
import { tlsIdentity } from './attest/agent-svid.ts';
import type { AgentConfig } from './config.ts';
import type { AgentCore } from './core.ts';
import type { AgentEnv } from './start.ts';

/** Starts what the `telemetry` section asks for. */
export const startAgentTelemetry = (
  { telemetry, trustDomain }: AgentConfig,
  env: AgentEnv,
): Promise<Telemetry> =>
  startTelemetry({
    ...env,
    settings: telemetry,
    service: 'spire_agent',
    version: SPIRE_VERSION,
    trustDomain: trustDomain.name,
    normalizeId: (text) => SpiffeId.parse(text).toString(),
    onUserSignal: env.onSigusr1,
  });

/** Endpoints of telemetry go by the agent's SVID, and verify others with the bundles that the agent holds. */
export function lendSvid(
  telemetry: Telemetry,
  { current, identities }: Pick<AgentCore, 'current' | 'identities'>,
  { clock }: Pick<AgentEnv, 'clock'>,
): void {
  const lend = () => {
    const { chain, privateKey } = tlsIdentity(current.value);
    telemetry.useSvid({
      cert: chain.map((der) => writePem('CERTIFICATE', der)).join(''),
      key: writePem('PRIVATE KEY', privateKey),
      verify: async (presented) => {
        const verified = await verifyX509Svid(
          presented,
          ({ name }) => identities.bundles().find(({ trustDomain }) => trustDomain.name === name),
          unixSeconds(clock),
        );
        return verified.id.toString();
      },
    });
  };
  lend();
  current.onChange(lend);
}
