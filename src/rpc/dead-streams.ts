import type { Server } from '@grpc/grpc-js';

type Stream = {
  readonly destroyed: boolean;
  readonly closed: boolean;
  once(event: 'error', listener: () => void): unknown;
};
/** What grpc-js does with each new stream; the version is pinned, and a test tells when it no longer does. */
type StreamHandler = (interceptors: unknown, stream: Stream, headers: unknown) => void;

/**
 * Passes over streams that are gone before they are looked at: grpc-js would answer some of them, and what that throws
 * would end the process. Anybody could bring that about, by a call that is none, and nonsense that ends the connection, in one packet.
 */
export function passOverDeadStreams(server: Server): void {
  const handlers = server as unknown as { _streamHandler: StreamHandler };
  const handle = handlers._streamHandler.bind(server);
  handlers._streamHandler = (interceptors, stream, headers) => {
    if (stream.destroyed || stream.closed) stream.once('error', () => {});
    else handle(interceptors, stream, headers);
  };
}
