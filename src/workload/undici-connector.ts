import type { TLSSocket } from 'node:tls';
import { answerBy } from './answer-by.ts';
import { connectMtls, type MtlsClientOptions } from './mtls-client.ts';

/** What undici says of the connection that it wants. */
export type UndiciTarget = { readonly hostname: string; readonly port: string };
export type UndiciConnector = (
  target: UndiciTarget,
  callback: (...answer: [error: null, socket: TLSSocket] | [error: Error, socket: null]) => void,
) => void;

/**
 * How undici's `Agent`, `Pool` and `Client` connect, and with them its `fetch`:
 *
 *     const dispatcher = new undici.Agent({ connect: mtlsConnector({ source, authorize }) });
 *     await undici.fetch('https://db.internal:8443/', { dispatcher });
 */
export const mtlsConnector =
  (options: MtlsClientOptions): UndiciConnector =>
  ({ hostname, port }, callback) => {
    answerBy(
      connectMtls({
        ...options,
        host: hostname.replace(/^\[|\]$/g, ''),
        port: Number(port === '' ? 443 : port),
        protocols: ['http/1.1'],
      }),
      (socket) => {
        callback(null, socket);
      },
      (error) => {
        callback(error, null);
      },
    );
  };
