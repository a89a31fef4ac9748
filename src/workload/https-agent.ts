import { Agent, type AgentOptions } from 'node:https';
import type { Duplex } from 'node:stream';
import { answerBy } from './answer-by.ts';
import { connectMtls, type MtlsClientOptions } from './mtls-client.ts';

/**
 * An agent for `node:https` whose connections are mTLS by SVIDs; each takes the newest SVID, and none that was checked
 * for one authorizer is used for another.
 *
 *     const agent = new MtlsAgent({ source, authorize: authorizeId('spiffe://example.org/db') });
 *     https.get('https://db.internal:8443/', { agent }, (response) => ...);
 */
export class MtlsAgent extends Agent {
  readonly #mtls: MtlsClientOptions;

  constructor(mtls: MtlsClientOptions, options: AgentOptions = {}) {
    super(options);
    this.#mtls = mtls;
  }

  override createConnection(
    options: { host?: string | null | undefined; port?: number | string | null | undefined },
    callback?: (error: Error | null, stream: Duplex) => void,
  ): Duplex | null | undefined {
    const answer = callback as (error: Error | null, stream?: Duplex) => void;
    answerBy(
      connectMtls({
        ...this.#mtls,
        host: options.host ?? 'localhost',
        port: Number(options.port ?? 443),
        protocols: ['http/1.1'],
      }),
      (socket) => {
        answer(null, socket);
      },
      answer,
    );
    return undefined;
  }
}
