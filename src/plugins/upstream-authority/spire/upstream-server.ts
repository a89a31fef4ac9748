import { unixSeconds } from '../../../base/clock.ts';
import { Fault, reasonOf } from '../../../base/fault.ts';
import { type CallOptions, type Channel, dial } from '../../../rpc/dial.ts';
import { rpcErrorText } from '../../../rpc/status.ts';
import type { KeyAuthority } from '../../../spiffe/bundle.ts';
import { SpiffeId } from '../../../spiffe/spiffe-id.ts';
import type { TrustDomain } from '../../../spiffe/trust-domain.ts';
import { verifyX509Svid } from '../../../spiffe/x509-svid.ts';
import { keyAuthorityToProto } from '../../../wire/bundle.ts';
import { Bundle } from '../../../wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import { SVID } from '../../../wire/gen/spire/api/server/svid/v1/svid_pb.ts';
import { X509Source } from '../../../workload/x509-source.ts';
import type { UpstreamAuthorityEnv } from '../builtins.ts';
import type { LocalBundle } from '../contract.ts';
import { jwtKeysFromProto, localBundleFromProto } from './bundle-from-upstream.ts';
import type { SpireSettings } from './settings.ts';

/** The server above, as the identity that its agent gives this one. Disposing closes the connection. */
export interface UpstreamServer extends AsyncDisposable {
  /** The chain, DER. Failures are 'internal', in SPIRE's words, in all three. */
  newDownstreamX509Ca(
    csr: Uint8Array,
    ttlSeconds: number,
    signal: AbortSignal,
  ): Promise<readonly Uint8Array[]>;
  publishJwtAuthority(key: KeyAuthority, signal: AbortSignal): Promise<readonly KeyAuthority[]>;
  getBundle(signal: AbortSignal): Promise<LocalBundle>;
}

export type UpstreamServerDeps = UpstreamAuthorityEnv & { readonly settings: SpireSettings };

/** A server that says nothing for so long is taken for gone. */
const RPC_MILLISECONDS = 30_000;
/** Bundles of thousands of downstream servers' keys. */
const MAX_RECEIVE_BYTES = 16 * 1024 * 1024;
/** What the field of the request can hold. */
const MAX_TTL_SECONDS = 2 ** 31 - 1;

/** Waits until the Workload API gives an identity, and rejects with the signal's reason; dials with the first call. */
export async function openUpstreamServer(
  deps: UpstreamServerDeps,
  signal: AbortSignal,
): Promise<UpstreamServer> {
  const source = await openSource(deps, signal);
  const channel = dialUpstream(deps, source);
  return {
    async newDownstreamX509Ca(csr, ttlSeconds, callSignal) {
      const preferredTtl = Math.min(ttlSeconds, MAX_TTL_SECONDS);
      const { caCertChain } = await ask(
        channel.client(SVID),
        (client, options) => client.newDownstreamX509CA({ csr, preferredTtl }, options),
        'unable to request a new Downstream X509CA',
        callSignal,
      );
      return caCertChain;
    },

    async publishJwtAuthority(key, callSignal) {
      const jwtAuthority = keyAuthorityToProto(key);
      const { jwtAuthorities } = await ask(
        channel.client(Bundle),
        (client, options) => client.publishJWTAuthority({ jwtAuthority }, options),
        'failed to push JWT authority',
        callSignal,
      );
      return jwtKeysFromProto(jwtAuthorities);
    },

    async getBundle(callSignal) {
      const bundle = await ask(
        channel.client(Bundle),
        (client, options) => client.getBundle({}, options),
        'failed to fetch bundle from upstream server: rpc error: code = Internal desc = failed to get bundle',
        callSignal,
      );
      return localBundleFromProto(bundle);
    },

    async [Symbol.asyncDispose]() {
      channel[Symbol.dispose]();
      await source[Symbol.asyncDispose]();
    },
  };
}

async function openSource(
  { settings, clock, log }: UpstreamServerDeps,
  signal: AbortSignal,
): Promise<X509Source> {
  const failed = (error: unknown) => {
    if (signal.aborted) return;
    log.warn('Failed to fetch an identity from the Workload API; will retry', {
      error: rpcErrorText(error),
      workload_api: settings.workloadApi,
    });
  };
  try {
    return await X509Source.open({ endpoint: settings.workloadApi, clock, failed, signal });
  } catch (error) {
    signal.throwIfAborted();
    throw new Fault('internal', `unable to create X509Source: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

function dialUpstream(
  { settings, clock, trustDomain, environment }: UpstreamServerDeps,
  source: X509Source,
): Channel {
  const expected = SpiffeId.server(trustDomain);
  return dial({
    address: settings.address,
    maxReceiveBytes: MAX_RECEIVE_BYTES,
    proxyVariables: environment,
    tls: {
      postQuantumOnly: settings.requirePqKem,
      identity: () => {
        const { chain, privateKey } = source.svid;
        return { chain: chain.map(({ der }) => der), privateKey };
      },
      async verify(chain) {
        const bundleOf = (asked: TrustDomain) => source.bundleOf(asked);
        const { id } = await verifyX509Svid(chain, bundleOf, unixSeconds(clock));
        if (id.equals(expected)) return;
        throw new Fault('unauthenticated', `unexpected ID "${id.toString()}"`);
      },
    },
  });
}

async function ask<C, T>(
  client: C,
  call: (client: C, options: CallOptions) => Promise<T>,
  failure: string,
  signal: AbortSignal,
): Promise<T> {
  try {
    return await call(client, { signal, timeoutMilliseconds: RPC_MILLISECONDS });
  } catch (error) {
    signal.throwIfAborted();
    throw new Fault('internal', `${failure}: ${rpcErrorText(error)}`, { cause: error });
  }
}
