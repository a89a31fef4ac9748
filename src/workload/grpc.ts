import type { Socket } from 'node:net';
import { type ChannelCredentials, type Server, ServerCredentials } from '@grpc/grpc-js';
import { tlsCredentials } from '../rpc/client-tls.ts';
import { clientTls, type MtlsClientOptions } from './mtls-client.ts';

/**
 * Channel credentials for clients of `@grpc/grpc-js`. They cannot be combined with call credentials: tokens go into each
 * call's metadata.
 *
 *     new GreeterClient('db.internal:8443', grpcCredentials({ source, authorize }));
 */
export const grpcCredentials = (options: MtlsClientOptions): ChannelCredentials =>
  tlsCredentials('', clientTls(options), () => {});

/**
 * What a server of `@grpc/grpc-js` is given connections by:
 *
 *     createMtlsServer({ source, authorize, serve: serveGrpc(server), protocols: ['h2'] }).listen(8443);
 */
export function serveGrpc(server: Server): (socket: Socket) => void {
  return (socket) => {
    const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
    // Without this, what grpc-js keeps of a connection stays after its end.
    socket.once('close', () => {
      injector.destroy();
    });
    injector.injectConnection(socket);
  };
}
