import { unixSeconds } from '../base/clock.ts';
import { writePem } from '../crypto/pem.ts';
import { startTelemetry, type Telemetry } from '../ops/telemetry/start-telemetry.ts';
import { SPIRE_VERSION } from '../ops/version.ts';
import { SpiffeId } from '../spiffe/spiffe-id.ts';
import { verifyX509Svid } from '../spiffe/x509-svid.ts';
import type { ServerConfig } from './config/server-config.ts';
import type { ServerSvid, ServerSvidRotator } from './endpoints/server-svid.ts';
import type { Registry } from './registry/contract.ts';
import type { ServerEnv } from './start.ts';

/** Starts what the `telemetry` section asks for. */
export const startServerTelemetry = (
  { telemetry, trustDomain }: ServerConfig,
  env: ServerEnv,
): Promise<Telemetry> =>
  startTelemetry({
    ...env,
    settings: telemetry,
    service: 'spire_server',
    version: SPIRE_VERSION,
    trustDomain: trustDomain.name,
    normalizeId: (text) => SpiffeId.parse(text).toString(),
    onUserSignal: env.onSigusr1,
  });

/** Endpoints of telemetry go by the server's SVID, and verify others with the bundles that the server holds. */
export function lendSvid(
  telemetry: Telemetry,
  svid: Pick<ServerSvidRotator, 'current' | 'onRotated'>,
  { bundles }: Pick<Registry, 'bundles'>,
  { clock }: Pick<ServerEnv, 'clock'>,
): void {
  const lend = ({ chain, key }: ServerSvid) => {
    telemetry.useSvid({
      cert: chain.map((der) => writePem('CERTIFICATE', der)).join(''),
      key: writePem('PRIVATE KEY', key.toPkcs8()),
      verify: async (presented) => {
        const verified = await verifyX509Svid(
          presented,
          (trustDomain) => bundles.get(trustDomain),
          unixSeconds(clock),
        );
        return verified.id.toString();
      },
    });
  };
  lend(svid.current());
  svid.onRotated(lend);
}
