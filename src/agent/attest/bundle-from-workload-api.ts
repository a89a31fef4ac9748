import { Fault, wrapFault } from '../../base/fault.ts';
import { parseCertificates } from '../../crypto/x509/certificate.ts';
import { dial } from '../../rpc/dial.ts';
import { rpcErrorText } from '../../rpc/status.ts';
import type { Bundle } from '../../spiffe/bundle.ts';
import type { TrustDomain } from '../../spiffe/trust-domain.ts';
import {
  SpiffeWorkloadAPI,
  type X509BundlesResponse,
} from '../../wire/gen/spiffe/workload/workload_pb.ts';
import { parseEndpoint } from '../../workload/endpoint-address.ts';
import { SECURITY_HEADER } from '../../workload/security-header.ts';
import { bundleOfCertificates } from './trust-bundle.ts';

const TIMEOUT_MILLISECONDS = 60_000;

/**
 * The trust domain's bundle as another SPIFFE implementation on this machine has it, asked once over its Workload API
 * (`reference/agent.md` §2.3). Throws with SPIRE's words.
 */
export async function bundleFromWorkloadApi(
  address: string,
  trustDomain: TrustDomain,
  signal: AbortSignal,
): Promise<Bundle> {
  const { bundles } = await firstAnswer(address, signal);
  const authorities = bundles[trustDomain.idString];
  const why = `SPIFFE Workload API ${address} did not provide a trust bundle for trust domain "${trustDomain.name}"`;
  if (authorities === undefined) {
    const reason = `x509bundle: no X.509 bundle for trust domain "${trustDomain.name}" found`;
    throw new Fault('not-found', `${why}: ${reason}`);
  }
  try {
    const certificates = parseCertificates(authorities).map(({ der }) => Uint8Array.from(der));
    if (certificates.length === 0) throw new Fault('invalid', 'no certificates found');
    return bundleOfCertificates(trustDomain, certificates);
  } catch (error) {
    throw wrapFault(why, error);
  }
}

async function firstAnswer(address: string, signal: AbortSignal): Promise<X509BundlesResponse> {
  const what = `unable to fetch trust bundle from SPIFFE Workload API ${address}`;
  try {
    using channel = dial({ address: parseEndpoint(address) });
    const answers = channel
      .client(SpiffeWorkloadAPI)
      .fetchX509Bundles(
        {},
        { signal, timeoutMilliseconds: TIMEOUT_MILLISECONDS, headers: SECURITY_HEADER },
      );
    for await (const answer of answers) return answer;
    throw new Fault('unknown', 'EOF');
  } catch (error) {
    if (signal.aborted) throw error;
    const reason = error instanceof Fault ? rpcErrorText(error) : String(error);
    // Without its cause: a refusal there is not the server's, which would end the agent.
    throw new Fault('unavailable', `${what}: ${reason}`);
  }
}
