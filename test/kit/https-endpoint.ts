import type { RequestListener } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { systemClock, unixSeconds } from '../../src/base/clock.ts';
import { writePem } from '../../src/crypto/pem.ts';
import { type Changes, type Holder, leafOf, rootAuthority } from './certificates.ts';

/** Valid now, for whoever does not ask a test's clock what time it is. */
export function validNow(): Required<Pick<Changes, 'notBefore' | 'notAfter'>> {
  const now = unixSeconds(systemClock);
  return { notBefore: now - 3600, notAfter: now + 3600 };
}

/** An authority and leaves of it that are valid now. */
export class WebOfTrust {
  readonly root: Holder;

  private constructor(root: Holder) {
    this.root = root;
  }

  static async create(name: string, changes: Changes = {}): Promise<WebOfTrust> {
    return new WebOfTrust(await rootAuthority(name, { ...validNow(), ...changes }));
  }

  get pem(): string {
    return writePem('CERTIFICATE', this.root.certificate.der);
  }

  /** An SVID. */
  svid(id: string, changes: Changes = {}): Promise<Holder> {
    return leafOf(this.root, id, { ...validNow(), ...changes });
  }

  /** A certificate of the web. */
  web(dnsNames: readonly string[], changes: Changes = {}): Promise<Holder> {
    return this.svid('', { uris: [], dnsNames: [...dnsNames], ...changes });
  }
}

export type HttpsEndpoint = { readonly port: number; readonly connections: () => number };

/** Serves with that certificate until the test ends. */
export async function serveHttps(
  t: TestContext,
  { certificate, key }: Holder,
  answer: RequestListener,
): Promise<HttpsEndpoint> {
  let connections = 0;
  const server = createServer(
    {
      cert: writePem('CERTIFICATE', certificate.der),
      key: writePem('PRIVATE KEY', key.toPkcs8()),
    },
    answer,
  );
  server.on('connection', () => {
    connections += 1;
  });
  server.on('tlsClientError', () => undefined); // the client that refused us tells its test
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  t.after(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  );
  return { port: (server.address() as AddressInfo).port, connections: () => connections };
}
