/** How Go words the system errors that a dial can end with; scripts look for these. */
const wordings: Record<string, string> = {
  EACCES: 'permission denied',
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset by peer',
  EHOSTUNREACH: 'no route to host',
  EINVAL: 'invalid argument',
  ENAMETOOLONG: 'file name too long',
  ENETUNREACH: 'network is unreachable',
  ENOENT: 'no such file or directory',
  ENOTSOCK: 'socket operation on non-socket',
  EPERM: 'operation not permitted',
  ETIMEDOUT: 'connection timed out',
};

/** grpc-js tells the reason of a failed connection inside its status text only. */
const LAST_ERROR = /^No connection established\. Last error: ([\s\S]*?)\. Resolution note:/;
const SYSTEM_ERROR = /\bconnect (E[A-Z]+)\b(?: (\S+:\d+))?/;

/** Why a connection that came about was of no use. */
export type ConnectFailure = { readonly text: string; readonly step: 'proxy' | 'handshake' };

/**
 * A failed connection as grpc-go tells it: `connection error: desc = "transport: Error while dialing: dial unix /p:
 * connect: no such file or directory"`. Undefined if the text tells of something else.
 */
export function dialFailureText(
  statusText: string,
  address: string,
  failure: ConnectFailure | undefined,
): string | undefined {
  const lastError = LAST_ERROR.exec(statusText)?.[1];
  if (lastError === undefined) return undefined;
  const [, code, remote] = SYSTEM_ERROR.exec(lastError) ?? [];
  if (code === undefined) {
    const what =
      failure?.step === 'proxy' ? 'Error while dialing' : 'authentication handshake failed';
    return `connection error: desc = "transport: ${what}: ${failure?.text ?? lastError}"`;
  }
  const why = wordings[code] ?? code;
  const target = address.startsWith('unix:')
    ? `unix ${address.slice('unix:'.length)}`
    : `tcp ${remote ?? address}`;
  return `connection error: desc = "transport: Error while dialing: dial ${target}: connect: ${why}"`;
}

/** A system error of a dial as Go words it: `dial tcp 127.0.0.1:1: connect: connection refused`. Other errors as they are. */
export function dialErrorText(thrown: unknown): string {
  // Where a name has several addresses, Node tells of all of them at once.
  const [first] = thrown instanceof AggregateError ? (thrown.errors as unknown[]) : [];
  const error = (first ?? thrown) as NodeJS.ErrnoException & { hostname?: string };
  if (error.code === 'ENOTFOUND') return `dial tcp: lookup ${error.hostname}: no such host`;
  const [, code, remote] = SYSTEM_ERROR.exec(error.message) ?? [];
  if (code === undefined) return error.message;
  return `dial tcp ${remote ?? ''}: connect: ${wordings[code] ?? code}`;
}
