import type { Server } from '@grpc/grpc-js';
import { codes } from './status.ts';

/** What grpc-js looks up for each request; the version is pinned, and a test tells when it no longer does. */
type Lookup = { _retrieveHandler(path: string): unknown };
type Call = { emit(event: 'error', failure: { code: number; details: string }): void };

/** Answers calls to what is not served here in grpc-go's words, which clients of SPIRE know. */
export function answerUnknownMethods(server: Server, services: ReadonlySet<string>): void {
  const lookup = server as unknown as Lookup;
  const known = lookup._retrieveHandler.bind(server);
  lookup._retrieveHandler = (path) =>
    known(path) ?? {
      type: 'bidi',
      path,
      func(call: Call) {
        call.emit('error', {
          code: codes.unimplemented.code,
          details: unknownMethodText(path, services),
        });
      },
      serialize: () => Buffer.alloc(0),
      deserialize: () => undefined,
    };
}

export function unknownMethodText(path: string, services: ReadonlySet<string>): string {
  const slash = path.lastIndexOf('/');
  if (!path.startsWith('/') || slash <= 0) return `malformed method name: ${JSON.stringify(path)}`;
  const [service, method] = [path.slice(1, slash), path.slice(slash + 1)];
  return services.has(service)
    ? `unknown method ${method} for service ${service}`
    : `unknown service ${service}`;
}
