import { createBackoff } from '../base/backoff.ts';
import type { Clock } from '../base/clock.ts';
import { Fault, kindOf, reasonOf } from '../base/fault.ts';
import { readPrivateKey } from '../crypto/keys.ts';
import { parseCertificates } from '../crypto/x509/certificate.ts';
import { type Channel, dial } from '../rpc/dial.ts';
import { type Bundle, emptyBundle } from '../spiffe/bundle.ts';
import { TrustDomain } from '../spiffe/trust-domain.ts';
import type { BundleSource } from '../spiffe/x509-svid.ts';
import {
  SpiffeWorkloadAPI,
  type X509SVIDResponse,
} from '../wire/gen/spiffe/workload/workload_pb.ts';
import { parseEndpoint } from './endpoint-address.ts';
import { readX509Svid, SECURITY_HEADER, type X509Svid } from './fetch-x509-svid.ts';

/** What a process is, and whom it can verify. */
export type X509Context = {
  /** The default one. */
  readonly svid: X509Svid;
  /** The bundle of that SVID's trust domain and those it federates with. */
  readonly bundleOf: BundleSource;
};

/** Disposing ends it; what it held stays as it was. */
export interface X509Source extends Disposable {
  /** The newest one. It may have expired, where the Workload API has been away for long. */
  current(): X509Context;
}

export type X509SourceDeps = {
  /** As in SPIFFE_ENDPOINT_SOCKET. */
  readonly endpoint: string;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Told of each failed attempt; another one follows. */
  readonly failed: (error: unknown) => void;
};

/** As the reference client's: from one second to half a minute. */
const RETRY = { initialMs: 1000, maxMs: 30_000, multiplier: 2, jitter: 0.1 };

/**
 * Follows the Workload API; resolves with its first answer, for which it waits as long as that takes: the API may not
 * be there yet, or have no identity for this process yet. Rejects with the signal's reason, or with 'invalid' if the
 * API will not have such calls at all.
 */
export async function openX509Source(
  deps: X509SourceDeps,
  signal: AbortSignal,
): Promise<X509Source> {
  const stop = new AbortController();
  const first = Promise.withResolvers<void>();
  let current: X509Context | undefined;
  const given = (context: X509Context) => {
    current = context;
    first.resolve();
  };
  const giveUp = () => {
    first.reject(signal.reason);
  };
  if (signal.aborted) giveUp();
  signal.addEventListener('abort', giveUp, { once: true });
  follow(deps, given, stop.signal).catch((error: unknown) => {
    first.reject(error);
  });
  try {
    await first.promise;
  } catch (error) {
    stop.abort();
    throw error;
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
  return {
    current() {
      if (current === undefined) throw new TypeError('it resolved with the first answer');
      return current;
    },
    [Symbol.dispose]() {
      stop.abort();
    },
  };
}

/** Resolves when it is stopped. */
async function follow(
  { endpoint, clock, random, failed }: X509SourceDeps,
  given: (context: X509Context) => void,
  signal: AbortSignal,
): Promise<void> {
  using channel = dial({ address: parseEndpoint(endpoint) });
  const backoff = createBackoff({ clock, random, ...RETRY });
  let answered = false;
  while (!signal.aborted) {
    try {
      await readStream(channel, signal, (context) => {
        answered = true;
        backoff.reset();
        given(context);
      });
    } catch (error) {
      if (signal.aborted) return;
      if (kindOf(error) === 'invalid' && !answered) throw error;
      failed(error);
    }
    await clock.sleep(backoff.next() ?? RETRY.maxMs, signal).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }
}

async function readStream(
  channel: Channel,
  signal: AbortSignal,
  given: (context: X509Context) => void,
): Promise<never> {
  const options = { headers: SECURITY_HEADER, signal };
  for await (const response of channel.client(SpiffeWorkloadAPI).fetchX509SVID({}, options)) {
    given(contextOf(response));
  }
  throw new Fault('unavailable', 'the Workload API ended the stream');
}

function contextOf({ svids, federatedBundles }: X509SVIDResponse): X509Context {
  const [first] = svids;
  if (first === undefined) throw new Fault('internal', 'no SVIDs in response');
  try {
    const svid = readX509Svid(first);
    checkKey(svid);
    const own = svid.id.trustDomain;
    const bundles = new Map([
      ...Object.entries(federatedBundles).map(([id, der]) => named(TrustDomain.parse(id), der)),
      named(own, first.bundle),
    ]);
    return { svid, bundleOf: ({ name }) => bundles.get(name) };
  } catch (error) {
    // What a Workload API says wrongly it may say rightly when it is asked again.
    throw new Fault('internal', `malformed response: ${reasonOf(error)}`, { cause: error });
  }
}

function checkKey({ chain: [leaf], privateKey }: X509Svid): void {
  const { publicKey } = readPrivateKey(privateKey);
  if (leaf === undefined || Buffer.compare(publicKey.spki, leaf.spki) !== 0) {
    throw new Fault('invalid', 'private key does not match public key');
  }
}

const named = (trustDomain: TrustDomain, concatenatedDer: Uint8Array): [string, Bundle] => {
  const certificates = parseCertificates(concatenatedDer);
  const x509Authorities = certificates.map(({ der }) => ({ der, tainted: false }));
  return [trustDomain.name, { ...emptyBundle(trustDomain), x509Authorities }];
};
