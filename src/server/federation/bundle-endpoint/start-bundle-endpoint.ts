import type { AddressInfo } from 'node:net';
import { formatGoDuration } from '../../../base/duration.ts';
import { reasonOf, wrapFault } from '../../../base/fault.ts';
import { hostPort } from '../../../base/listen-fault.ts';
import type { Bundle } from '../../../spiffe/bundle.ts';
import type {
  BundleEndpointConfig,
  EndpointIdentityConfig,
} from '../../config/federation-config.ts';
import { ALL_ADDRESSES } from '../../endpoints/bind.ts';
import type { ServerSvidRotator } from '../../endpoints/server-svid.ts';
import { type AcmeIdentityDeps, acmeIdentity } from './acme-identity.ts';
import { createBundleAnswers } from './bundle-answers.ts';
import { certificateFilesIdentity } from './certificate-files.ts';
import type { EndpointIdentity } from './endpoint-identity.ts';
import { serveHttps } from './serve-https.ts';
import { svidIdentity } from './svid-identity.ts';

export type BundleEndpointDeps = Omit<AcmeIdentityDeps, 'config'> & {
  readonly config: BundleEndpointConfig;
  /** The trust domain's own bundle as it is now. */
  readonly bundle: () => Bundle | undefined;
  readonly svid: Pick<ServerSvidRotator, 'current' | 'onRotated'>;
};

export type BundleEndpoint = AsyncDisposable & {
  readonly address: AddressInfo;
  /** Rejects when the listener breaks down; never resolves. */
  readonly failed: Promise<never>;
};

/** Serves the trust domain's bundle to other trust domains (`reference/server.md` §10.1). */
export async function startBundleEndpoint(deps: BundleEndpointDeps): Promise<BundleEndpoint> {
  const { config, log } = deps;
  const { promise: failed, reject } = Promise.withResolvers<never>();
  failed.catch(() => undefined); // whoever runs the server listens too
  await using opened = new AsyncDisposableStack();
  const identity = opened.use(await openIdentity(config.identity, deps));
  const endpointLog = log.child({ subsystem_name: 'bundle_endpoint' });
  const server = opened.use(
    await serveHttps({
      host: config.address ?? ALL_ADDRESSES,
      port: config.port,
      identity,
      answer: createBundleAnswers({
        bundle: deps.bundle,
        refreshHintSeconds: config.refreshHintSeconds,
        onFailure: (error) => {
          endpointLog.error('Unable to marshal local bundle', { error: reasonOf(error) });
        },
      }),
      onFailure: (error) => {
        reject(wrapFault('bundle endpoint failed', error, 'unavailable'));
      },
      log: endpointLog,
    }),
  );
  log.child({ subsystem_name: 'endpoints' }).info('Serving bundle endpoint', {
    addr: hostPort(config.address ?? '', server.address.port),
    refresh_hint: formatGoDuration(BigInt(Math.round(config.refreshHintSeconds * 1e9))),
  });
  const running = opened.move();
  return {
    address: server.address,
    failed,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

async function openIdentity(
  config: EndpointIdentityConfig,
  deps: BundleEndpointDeps,
): Promise<EndpointIdentity> {
  switch (config.kind) {
    case 'svid':
      return svidIdentity(deps.svid);
    case 'certificate-files':
      return certificateFilesIdentity(config, deps.clock, deps.log);
    case 'acme':
      return acmeIdentity({ ...deps, config });
    default:
      return config satisfies never;
  }
}
