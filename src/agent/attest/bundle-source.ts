import { Fault, reasonOf, wrapFault } from '../../base/fault.ts';
import { readFileBounded } from '../../base/files.ts';
import { goFileError } from '../../base/go-file-error.ts';
import { rfc3339 } from '../../base/rfc3339.ts';
import type { Log } from '../../ops/log.ts';
import type { Bundle } from '../../spiffe/bundle.ts';
import type { TrustDomain } from '../../spiffe/trust-domain.ts';
import type { BootstrapState } from '../storage/agent-data.ts';
import { download } from './download.ts';
import { parseTrustBundle, type TrustBundleFormat } from './trust-bundle.ts';

/** Where an agent learns whom to trust before its first attestation (`reference/agent.md` §2.3). */
export type BundleSource =
  /** Whoever answers is believed. */
  | { readonly kind: 'insecure' }
  | { readonly kind: 'path'; readonly path: string; readonly format: TrustBundleFormat }
  | {
      readonly kind: 'url';
      readonly url: string;
      readonly format: TrustBundleFormat;
      /** Asked over this socket in place of the URL's host. */
      readonly unixSocket: string | undefined;
    }
  /** Another SPIFFE implementation on this machine. */
  | { readonly kind: 'workload-api'; readonly address: string };

export type FetchTrustBundleDeps = {
  readonly trustDomain: TrustDomain;
  /** As configured, a `spiffe://` prefix included. */
  readonly configuredTrustDomain: string;
  readonly serverHost: string;
  readonly serverPort: number;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
};

/** Far more authorities than any trust domain has. */
const MAX_BUNDLE_BYTES = 16 * 1024 * 1024;

/** Throws with SPIRE's words when there is none to be had. */
export async function fetchTrustBundle(
  deps: FetchTrustBundleDeps,
  source: Exclude<BundleSource, { kind: 'insecure' }>,
  state: BootstrapState,
  signal: AbortSignal,
): Promise<Bundle> {
  switch (source.kind) {
    case 'path':
      return fromPath(deps.trustDomain, source);
    case 'url':
      return fromUrl(deps, source, state, signal);
    case 'workload-api':
      return fromWorkloadApi(deps, source.address, state, signal);
    default:
      return source satisfies never;
  }
}

async function fromPath(
  trustDomain: TrustDomain,
  { path, format }: Extract<BundleSource, { kind: 'path' }>,
): Promise<Bundle> {
  try {
    const content = await readBundleFile(path);
    return namingFile(path, () => parseTrustBundle(trustDomain, format, content));
  } catch (error) {
    throw wrapFault('could not parse trust bundle', error);
  }
}

function namingFile<T>(path: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new Fault('invalid', `${reasonOf(error)} (${path})`, { cause: error });
  }
}

const readBundleFile = (path: string): Promise<Uint8Array> =>
  readFileBounded(path, MAX_BUNDLE_BYTES).catch((error: unknown) => {
    throw goFileError('open', path, error);
  });

async function fromWorkloadApi(
  deps: FetchTrustBundleDeps,
  address: string,
  state: BootstrapState,
  signal: AbortSignal,
): Promise<Bundle> {
  tellAttempt(deps, state);
  deps.log.debug(`Fetching trust bundle from SPIFFE Workload API: ${address}`);
  const { bundleFromWorkloadApi } = await import('./bundle-from-workload-api.ts');
  return bundleFromWorkloadApi(address, deps.trustDomain, signal);
}

async function fromUrl(
  deps: FetchTrustBundleDeps,
  { url, format, unixSocket }: Extract<BundleSource, { kind: 'url' }>,
  state: BootstrapState,
  signal: AbortSignal,
): Promise<Bundle> {
  tellAttempt(deps, state);
  const asked = unixSocket === undefined ? url : withAttempt(url, deps, state);
  if (unixSocket !== undefined) {
    deps.log.debug(`Server attestation url: ${asked} from: ${unixSocket}`);
  }
  const content = await download({
    url: asked,
    unixSocket,
    environment: deps.environment,
    maxBytes: MAX_BUNDLE_BYTES,
    signal,
  });
  return parseTrustBundle(deps.trustDomain, format, content);
}

function tellAttempt({ log }: FetchTrustBundleDeps, state: BootstrapState): void {
  const again = state.use === 'rebootstrap' ? 'reattestation' : 'attestation';
  const started = rfc3339(state.startedAt ?? 0);
  log.info(`Server ${again} attempt ${state.attempts}. Started ${started}.`);
}

/** Tells whoever serves the socket why it is asked; sorted, as Go encodes a query. */
function withAttempt(url: string, deps: FetchTrustBundleDeps, state: BootstrapState): string {
  const asked = new URL(url);
  for (const [name, value] of Object.entries({
    'spire-attest-mode': state.use,
    'spire-connection-attempts': String(state.attempts),
    'spire-attest-start-time': rfc3339(state.startedAt ?? 0),
    'spire-server-address': deps.serverHost,
    'spire-server-port': String(deps.serverPort),
    'spiffe-trust-domain': deps.configuredTrustDomain,
  })) {
    asked.searchParams.set(name, value);
  }
  asked.searchParams.sort();
  return asked.href;
}
