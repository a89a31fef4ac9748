import { kindOf, wrapFault } from '../../base/fault.ts';
import { monotonicMilliseconds } from '../../base/monotonic.ts';
import type { Log } from '../../ops/log.ts';
import type { Bundle } from '../../spiffe/bundle.ts';
import { Bundle as BundleService } from '../../wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import { Entry as EntryService } from '../../wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import type { Bundle as ProtoBundle } from '../../wire/gen/spire/api/types/bundle_pb.ts';
import type { AuthorizedEntry } from '../authorized-entry.ts';
import { rpcFailure } from '../server/rpc-failure.ts';
import {
  RPC_MILLISECONDS,
  type ServerCallOptions,
  type ServerConnection,
} from '../server/server-connection.ts';
import type { AuthorizedEntries } from './authorized-entries.ts';
import { bundleFromServer, malformation } from './bundle-from-server.ts';
import { mapConcurrently } from './map-concurrently.ts';

export type FetchUpdatesDeps = {
  readonly connection: Pick<ServerConnection, 'call'>;
  readonly entries: AuthorizedEntries;
  /** False: by GetAuthorizedEntries, for servers that do not know SyncAuthorizedEntries. */
  readonly useSyncAuthorizedEntries: boolean;
  readonly log: Log;
};

export type ServerUpdates = {
  readonly entries: readonly AuthorizedEntry[];
  /** The own trust domain's first, if the server's word could be understood. */
  readonly bundles: readonly Bundle[];
};

/** Federated bundles are fetched so many at a time. */
const CONCURRENT_BUNDLES = 10;

/** Entries, and the bundles they speak of, under one deadline (`reference/agent.md` §3.1). */
export async function fetchUpdates(
  deps: FetchUpdatesDeps,
  signal: AbortSignal,
): Promise<ServerUpdates> {
  const endsAt = monotonicMilliseconds() + RPC_MILLISECONDS;
  const options = (): ServerCallOptions => ({
    signal,
    timeoutMilliseconds: Math.max(0, endsAt - monotonicMilliseconds()),
  });
  await fetchEntries(deps, options());
  const entries = deps.entries.all;
  const own = await fetchBundle(deps, options());
  const federated = await fetchFederatedBundles(deps, federatedNames(entries, own), options);
  const bundles = [own, ...federated].flatMap((proto) => understood(proto, deps.log));
  return { entries, bundles };
}

async function fetchEntries(deps: FetchUpdatesDeps, options: ServerCallOptions): Promise<void> {
  const { connection, entries, useSyncAuthorizedEntries, log } = deps;
  const what = 'failed to fetch authorized entries';
  try {
    await connection.call(
      EntryService,
      (client, callOptions) =>
        useSyncAuthorizedEntries
          ? entries.sync(client, callOptions)
          : entries.fetchAll(client, callOptions),
      options,
    );
  } catch (error) {
    log.error('Failed to fetch authorized entries', { error: error as Error });
    throw useSyncAuthorizedEntries ? wrapFault(what, error) : rpcFailure(what, error);
  }
}

async function fetchBundle(
  { connection, log }: FetchUpdatesDeps,
  options: ServerCallOptions,
): Promise<ProtoBundle> {
  try {
    return await connection.call(
      BundleService,
      (client, callOptions) => client.getBundle({}, callOptions),
      options,
    );
  } catch (error) {
    log.error('Failed to fetch bundle', { error: error as Error });
    throw rpcFailure('failed to fetch bundle', error);
  }
}

/** Names of the trust domains that an entry federates with, but for the own one. */
function federatedNames(entries: readonly AuthorizedEntry[], own: ProtoBundle): string[] {
  const names = new Set(entries.flatMap((entry) => entry.federatesWith.map(({ name }) => name)));
  names.delete(own.trustDomain);
  return [...names].sort();
}

async function fetchFederatedBundles(
  deps: FetchUpdatesDeps,
  names: readonly string[],
  options: () => ServerCallOptions,
): Promise<ProtoBundle[]> {
  const bundles = await mapConcurrently(names, CONCURRENT_BUNDLES, (name) =>
    fetchFederatedBundle(deps, name, options()),
  );
  return bundles.filter((bundle) => bundle !== undefined);
}

async function fetchFederatedBundle(
  { connection, log }: FetchUpdatesDeps,
  trustDomain: string,
  options: ServerCallOptions,
): Promise<ProtoBundle | undefined> {
  try {
    return await connection.call(
      BundleService,
      (client, callOptions) => client.getFederatedBundle({ trustDomain }, callOptions),
      { ...options, keepsConnection: true },
    );
  } catch (error) {
    const field = { federated_bundle: trustDomain };
    if (kindOf(error) === 'not-found') {
      log.warn('Federated bundle not found', field);
      return undefined;
    }
    log.error('Failed to fetch federated bundle', { ...field, error: error as Error });
    throw rpcFailure('failed to fetch federated bundle', error);
  }
}

/** One that is malformed is left out; one whose certificates or keys cannot be parsed fails the whole. */
function understood(proto: ProtoBundle, log: Log): Bundle[] {
  const error = malformation(proto);
  const passOver = (keyId: string) => {
    log.debug('Passing over JWT authority of unknown kind', {
      trust_domain_id: `spiffe://${proto.trustDomain}`,
      kid: keyId,
    });
  };
  if (error === undefined) return [bundleFromServer(proto, passOver)];
  log.warn(
    'Received malformed bundle from SPIRE server; are the server and agent versions compatible?',
    { error },
  );
  return [];
}
