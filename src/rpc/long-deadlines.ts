import type { Server } from '@grpc/grpc-js';

type Headers = Record<string, unknown>;
/** What grpc-js does with each new stream; the version is pinned, and a test tells when it no longer does. */
type StreamHandler = (interceptors: unknown, stream: unknown, headers: Headers) => void;

const HEADER = 'grpc-timeout';
/** Of the units that a timeout can have, those of which eight digits can be too many; in milliseconds. */
const UNITS: Readonly<Record<string, number | undefined>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
};
/** Node's timers take no longer delay, and grpc-js counts with as many bits: beyond it a call would end at once. */
const MAX_MILLISECONDS = 2 ** 31 - 1;

/** Takes callers who would wait for weeks for such as wait for ever. */
export function passOverLongDeadlines(server: Server): void {
  const handlers = server as unknown as { _streamHandler: StreamHandler };
  const handle = handlers._streamHandler.bind(server);
  handlers._streamHandler = (interceptors, stream, headers) => {
    const [, digits, unit = ''] = /^(\d{1,8})([HMS])$/.exec(String(headers[HEADER])) ?? [];
    if (Number(digits) * (UNITS[unit] ?? 0) > MAX_MILLISECONDS) delete headers[HEADER];
    handle(interceptors, stream, headers);
  };
}
