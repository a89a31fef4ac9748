import type { Clock } from '../../base/clock.ts';
import { type BoundService, implement } from '../../rpc/service.ts';
import { API } from '../../wire/gen/spiffe/broker/api_pb.ts';
import type { Identities } from '../identities.ts';
import type { BrokerCall } from './call.ts';
import { fetchJwtSvid } from './fetch-jwt-svid.ts';
import { subscribeToJwtBundles, subscribeToX509Bundles } from './subscribe-to-bundles.ts';
import { subscribeToX509Svid } from './subscribe-to-x509-svid.ts';

export type BrokerApiDeps = {
  readonly identities: Identities;
  readonly clock: Pick<Clock, 'now'>;
};

/** `spiffe.broker.API` (`reference/wire/broker-api.md`). */
export const brokerApi = (deps: BrokerApiDeps): BoundService<BrokerCall> =>
  implement<typeof API, BrokerCall>(API, {
    subscribeToX509SVID: (request, call) => subscribeToX509Svid(deps, request, call),
    subscribeToX509Bundles: (request, call) => subscribeToX509Bundles(deps, request, call),
    fetchJWTSVID: (request, call) => fetchJwtSvid(deps, request, call),
    subscribeToJWTBundles: (request, call) => subscribeToJwtBundles(deps, request, call),
  });
