import { Fault } from './fault.ts';
import { goErrorText } from './go-file-error.ts';

/** `host:port`, an IPv6 address in brackets. */
export const hostPort = (host: string, port: number): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;

/** An address that cannot be listened on, in Go's words: `listen tcp :80: bind: permission denied`. */
export const listenFault = (host: string, port: number, error: unknown): Fault =>
  new Fault('unavailable', `listen tcp ${hostPort(host, port)}: bind: ${reasonText(error)}`, {
    cause: error,
  });

/** Node writes these without a comma before the address, so that they cannot be told apart from it. */
const WORDS: Readonly<Record<string, string | undefined>> = {
  EADDRINUSE: 'address already in use',
  EADDRNOTAVAIL: 'cannot assign requested address',
  EACCES: 'permission denied',
};

const reasonText = (error: unknown): string =>
  WORDS[String((error as NodeJS.ErrnoException).code)] ?? goErrorText(error);
