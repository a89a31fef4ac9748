import { Fault } from '../base/fault.ts';
import { type Certificate, parseCertificates } from '../crypto/x509/certificate.ts';
import { dial } from '../rpc/dial.ts';
import { SpiffeId } from '../spiffe/spiffe-id.ts';
import { SpiffeWorkloadAPI, type X509SVID } from '../wire/gen/spiffe/workload/workload_pb.ts';
import { parseEndpoint } from './endpoint-address.ts';

export type X509Svid = {
  readonly id: SpiffeId;
  /** Leaf first. */
  readonly chain: readonly Certificate[];
  /** PKCS#8 DER. */
  readonly privateKey: Uint8Array;
};

/** What tells a caller of the Workload API from a request that was forwarded (Workload Endpoint §4.2). */
export const SECURITY_HEADER = { 'workload.spiffe.io': 'true' } as const;

/** The process' default X509-SVID, asked for once. Throws with the status of the API. */
export async function fetchX509Svid(endpoint: string, signal: AbortSignal): Promise<X509Svid> {
  using channel = dial({ address: parseEndpoint(endpoint) });
  const stop = new AbortController();
  const options = { headers: SECURITY_HEADER, signal: AbortSignal.any([signal, stop.signal]) };
  try {
    for await (const { svids } of channel.client(SpiffeWorkloadAPI).fetchX509SVID({}, options)) {
      const [svid] = svids;
      if (svid === undefined) throw new Fault('internal', 'no SVIDs in response');
      return readX509Svid(svid);
    }
    throw new Fault('unavailable', 'the stream ended without a response');
  } finally {
    stop.abort();
  }
}

/** Throws if it is malformed. */
export function readX509Svid({ spiffeId, x509Svid, x509SvidKey }: X509SVID): X509Svid {
  const chain = parseCertificates(x509Svid);
  if (chain.length === 0) throw new Fault('internal', 'response has an SVID without certificate');
  return { id: SpiffeId.parse(spiffeId), chain, privateKey: x509SvidKey };
}
