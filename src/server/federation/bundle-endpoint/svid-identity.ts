import type { ServerSvidRotator } from '../../endpoints/server-svid.ts';
import { tlsContext } from '../../endpoints/tls-context.ts';
import type { EndpointIdentity } from './endpoint-identity.ts';

/** Profile `https_spiffe`: the server's own SVID, always the newest. */
export const svidIdentity = (
  svid: Pick<ServerSvidRotator, 'current' | 'onRotated'>,
): EndpointIdentity => ({
  current: () => tlsContext(svid.current()),
  onChange: (listener) =>
    svid.onRotated((renewed) => {
      listener(tlsContext(renewed));
    }),
  async [Symbol.asyncDispose]() {},
});
