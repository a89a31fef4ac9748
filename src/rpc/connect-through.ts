import type { Socket } from 'node:net';
import { Fault } from '../base/fault.ts';
import type { HttpProxy } from './http-proxy.ts';

/** A proxy has to reach the server first. */
const CONNECT_MILLISECONDS = 20_000;
/** Far above any answer to CONNECT. */
const MAX_ANSWER_BYTES = 16 * 1024;

/**
 * Has the proxy at the other end of `socket` connect it to `address` (RFC 9110 §9.3.6). Resolves when what is written
 * to it reaches the server; the socket is left as it was found, nothing of the server's bytes is taken. Throws
 * 'unavailable' where the proxy refuses, or does not answer in time.
 */
export function connectThrough(
  socket: Socket,
  { authorization }: Pick<HttpProxy, 'authorization'>,
  address: string,
  timeoutMilliseconds = CONNECT_MILLISECONDS,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let bytes = Buffer.alloc(0);
  const look = (): void => {
    for (let part = take(socket); part !== null; part = take(socket)) {
      bytes = Buffer.concat([bytes, part]);
    }
    const end = bytes.indexOf(HEAD_END);
    if (end === -1) {
      if (bytes.length > MAX_ANSWER_BYTES) fail('answered too much');
      return;
    }
    const [statusLine = ''] = bytes.subarray(0, end).toString('latin1').split('\r\n');
    if (!SUCCESS.test(statusLine)) {
      fail(`answered ${JSON.stringify(statusLine.slice(0, MAX_SHOWN_LETTERS))}`);
      return;
    }
    stopLooking(); // putting something back says 'readable' again
    const rest = bytes.subarray(end + HEAD_END.length);
    if (rest.length > 0) socket.unshift(rest);
    resolve();
  };
  const fail = (what: string): void => {
    stopLooking();
    reject(new Fault('unavailable', `the HTTP proxy ${what}`));
  };
  const gone = (): void => {
    fail('closed the connection');
  };
  const stopLooking = (): void => {
    clearTimeout(timer);
    socket.removeListener('readable', look);
    socket.removeListener('end', gone);
    socket.removeListener('close', gone);
  };
  const timer = setTimeout(() => {
    fail('did not answer in time');
  }, timeoutMilliseconds);
  socket.on('readable', look);
  socket.on('end', gone);
  socket.on('close', gone);
  socket.write(requestText(address, authorization));
  return promise;
}

const HEAD_END = Buffer.from('\r\n\r\n');
const SUCCESS = /^HTTP\/1\.[01] 200(?: |$)/;
const MAX_SHOWN_LETTERS = 100;

const requestText = (address: string, authorization: string | undefined): string =>
  `CONNECT ${address} HTTP/1.1\r\nHost: ${address}\r\n${
    authorization === undefined ? '' : `Proxy-Authorization: ${authorization}\r\n`
  }\r\n`;

const take = (socket: Socket): Buffer | null => socket.read() as Buffer | null;
