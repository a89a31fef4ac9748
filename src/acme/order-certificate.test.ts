import assert from 'node:assert/strict';
import { before, type TestContext, test } from 'node:test';
import { VirtualClock } from '../../test/kit/clock.ts';
import { serveHttps, WebOfTrust } from '../../test/kit/https-endpoint.ts';
import { parseCsr, verifyCsr } from '../crypto/csr.ts';
import { readBase64url } from '../crypto/jose/base64url.ts';
import { publicKeyFromJwk } from '../crypto/jose/jwk.ts';
import { parseJws, verifyJws } from '../crypto/jose/jws.ts';
import { generateKey, type PrivateKey } from '../crypto/keys.ts';
import type { AcmeAnswer, AcmeHttp } from './acme-http.ts';
import { acmeHttp } from './acme-http.ts';
import { AcmeSession, type JsonObject } from './acme-session.ts';
import { orderCertificate } from './order-certificate.ts';

const CA = 'https://ca.test';
const DOMAIN = 'bundles.b.test';
const CHAIN = 'the chain';

let account: PrivateKey;
let key: PrivateKey;
before(async () => {
  [account, key] = await Promise.all([generateKey('ec-p256'), generateKey('ec-p256')]);
});

type Content = { readonly header: JsonObject; readonly payload: Uint8Array };
type Handler = (content: Content) => {
  status?: number;
  headers?: Record<string, string>;
  object?: unknown;
  text?: string;
};

/** An ACME server that goes by the book (RFC 8555), but where the test bends it. */
class FakeCa {
  readonly asked: string[] = [];
  readonly handlers: Record<string, Handler>;
  meta: JsonObject | undefined = { termsOfService: 'https://ca.test/terms' };
  /** So many nonces are called bad. */
  badNonces = 0;
  givesNonces = true;
  orderStates = ['pending', 'ready', 'processing', 'valid'];
  authorizationStates = ['pending', 'pending', 'valid'];
  nonce = 0;

  constructor() {
    const order = () => ({
      status: this.orderStates[0],
      authorizations: [`${CA}/authz`],
      finalize: `${CA}/finalize`,
      certificate: `${CA}/cert`,
    });
    this.handlers = {
      '/account': () => ({ status: 201, headers: { location: `${CA}/me` }, object: {} }),
      '/order': () => ({ status: 201, headers: { location: `${CA}/order/1` }, object: order() }),
      '/order/1': () => {
        if (this.orderStates.length > 1) this.orderStates.shift();
        return { object: order() };
      },
      '/authz': () => ({
        object: {
          status:
            this.authorizationStates.length > 1
              ? this.authorizationStates.shift()
              : this.authorizationStates[0],
          identifier: { type: 'dns', value: DOMAIN },
          challenges: [
            { type: 'http-01', url: `${CA}/no`, token: 'no' },
            { type: 'tls-alpn-01', url: `${CA}/challenge`, token: 'tok' },
          ],
        },
      }),
      '/challenge': () => ({ object: {} }),
      '/finalize': () => ({ object: {} }),
      '/cert': () => ({ text: CHAIN }),
    };
  }

  readonly http: AcmeHttp = async ({ method, url, body }) => {
    const { pathname } = new URL(url);
    if (method === 'GET' && pathname === '/dir') {
      const [newNonce, newAccount, newOrder] = ['/nonce', '/account', '/order'].map(
        (path) => `${CA}${path}`,
      );
      return this.#answer(200, { newNonce, newAccount, newOrder, meta: this.meta }, false);
    }
    if (method === 'HEAD') return this.#answer(200, '', this.givesNonces);
    this.asked.push(pathname);
    const content = await this.#open(body ?? '', url);
    if (this.badNonces > 0) {
      this.badNonces -= 1;
      return this.#problem(400, 'badNonce', 'old');
    }
    const {
      status = 200,
      headers,
      object,
      text,
    } = this.handlers[pathname]?.(content) ?? { status: 404 };
    const answer = this.#answer(status, text ?? object ?? {}, true);
    return { ...answer, headers: { ...answer.headers, ...headers } };
  };

  /** Checks what every request must have (RFC 8555 §6.2 to §6.5). */
  async #open(body: string, url: string): Promise<Content> {
    const jws = JSON.parse(body) as Record<'protected' | 'payload' | 'signature', string>;
    const compact = parseJws(`${jws.protected}.${jws.payload}.${jws.signature}`);
    const { header } = compact;
    assert.equal(header['url'], url);
    assert.equal(header['nonce'], `n${this.nonce}`);
    assert.ok(await verifyJws(compact, account.publicKey));
    if (url.endsWith('/account')) {
      assert.deepEqual(publicKeyFromJwk(header['jwk'] as JsonObject), account.publicKey.spki);
    } else {
      assert.equal(header['kid'], `${CA}/me`);
    }
    return { header, payload: compact.payload };
  }

  #problem(status: number, type: string, detail: string): AcmeAnswer {
    return this.#answer(status, { type: `urn:ietf:params:acme:error:${type}`, detail }, true);
  }

  #answer(status: number, content: unknown, nonce: boolean): AcmeAnswer {
    if (nonce) this.nonce += 1;
    const text = typeof content === 'string' ? content : JSON.stringify(content);
    return {
      status,
      headers: nonce ? { 'replay-nonce': `n${this.nonce}` } : {},
      body: Buffer.from(text),
    };
  }
}

type Order = {
  readonly email?: string;
  readonly tosAccepted?: boolean;
  readonly signal?: AbortSignal;
};

function order(ca: FakeCa, { email = 'me@b.test', tosAccepted = true, signal }: Order = {}) {
  const clock = new VirtualClock();
  const proofs: string[] = [];
  let proving = 0;
  const ordering = orderCertificate(
    {
      session: new AcmeSession(`${CA}/dir`, account, ca.http),
      account: { email, tosAccepted },
      clock: { sleep: (milliseconds) => clock.advance({ milliseconds }) },
      async prove(domain, keyAuthorization) {
        proving += 1;
        proofs.push(`${domain} ${keyAuthorization}`);
        return {
          [Symbol.dispose]: () => {
            proving -= 1;
          },
        };
      },
    },
    DOMAIN,
    key,
    signal ?? new AbortController().signal,
  );
  return { ordering, proofs, clock, proving: () => proving };
}

const payloadOf = ({ payload }: Content): unknown => JSON.parse(Buffer.from(payload).toString());

test('a certificate is ordered as RFC 8555 has it', async () => {
  const ca = new FakeCa();
  const sent: unknown[] = [];
  for (const path of ['/account', '/order', '/challenge']) {
    const handle = ca.handlers[path] ?? assert.fail(path);
    ca.handlers[path] = (content) => {
      sent.push(payloadOf(content));
      return handle(content);
    };
  }
  let csr: Uint8Array = new Uint8Array();
  ca.handlers['/finalize'] = (content) => {
    csr = readBase64url((payloadOf(content) as { csr: string }).csr, 'csr');
    return { object: {} };
  };
  const { ordering, proofs, proving } = order(ca);
  assert.equal(await ordering, CHAIN);
  assert.deepEqual(sent, [
    { contact: ['mailto:me@b.test'], termsOfServiceAgreed: true },
    { identifiers: [{ type: 'dns', value: DOMAIN }] },
    {},
  ]);
  const parsed = parseCsr(csr);
  await verifyCsr(parsed);
  assert.deepEqual(parsed.dnsNames, [DOMAIN]);
  assert.deepEqual(parsed.publicKey.spki, key.publicKey.spki);
  assert.equal(proofs.length, 1);
  assert.match(proofs[0] ?? '', /^bundles\.b\.test tok\.[A-Za-z0-9_-]{43}$/);
  assert.equal(proving(), 0);
});

test('a domain that the server knows already is not proved again', async () => {
  const ca = new FakeCa();
  ca.authorizationStates = ['valid'];
  const { ordering, proofs } = order(ca, { email: '' });
  assert.equal(await ordering, CHAIN);
  assert.deepEqual(proofs, []);
});

test('a server without terms needs no agreement', async () => {
  const ca = new FakeCa();
  ca.meta = undefined;
  assert.equal(await order(ca, { tosAccepted: false }).ordering, CHAIN);
});

test('bad nonces are no reason to give up', async () => {
  const ca = new FakeCa();
  ca.badNonces = 5;
  assert.equal(await order(ca).ordering, CHAIN);
});

test('the server says how long to wait between looks', async () => {
  const ca = new FakeCa();
  const handle = ca.handlers['/authz'] ?? assert.fail();
  ca.handlers['/authz'] = (content) => ({ ...handle(content), headers: { 'retry-after': '7' } });
  const { ordering, clock } = order(ca);
  const start = clock.now();
  await ordering;
  assert.equal((clock.now() - start) / 1000, 7 + 1);
});

const refusals: readonly [
  what: string,
  bend: (ca: FakeCa) => void,
  error: { kind: string; message: string | RegExp },
][] = [
  [
    'wants its terms accepted, which nobody did',
    (ca) => {
      ca.meta = { termsOfService: 'https://ca.test/unread' };
    },
    {
      kind: 'failed-precondition',
      message:
        "the ACME server's terms of service are not accepted: set tos_accepted if you agree to https://ca.test/unread",
    },
  ],
  [
    'gives no nonce',
    (ca) => {
      ca.givesNonces = false;
    },
    { kind: 'unavailable', message: 'the ACME server gives no nonce' },
  ],
  [
    'calls every nonce bad',
    (ca) => {
      ca.badNonces = 1000;
    },
    { kind: 'unavailable', message: '400 urn:ietf:params:acme:error:badNonce: old' },
  ],
  [
    'refuses the order',
    (ca) => {
      ca.handlers['/order'] = () => ({
        status: 403,
        object: { type: 'urn:ietf:params:acme:error:rejectedIdentifier', detail: 'not yours' },
      });
    },
    {
      kind: 'unavailable',
      message: '403 urn:ietf:params:acme:error:rejectedIdentifier: not yours',
    },
  ],
  [
    'answers what is no problem document',
    (ca) => {
      ca.handlers['/order'] = () => ({ status: 500, text: '<html>' });
    },
    { kind: 'unavailable', message: 'ACME server answers 500' },
  ],
  [
    'answers what is no JSON',
    (ca) => {
      ca.handlers['/order'] = () => ({ text: '<html>' });
    },
    { kind: 'invalid', message: 'answer of the ACME server is not JSON' },
  ],
  [
    'answers an order without authorizations',
    (ca) => {
      ca.handlers['/order'] = () => ({ object: { authorizations: [] } });
    },
    { kind: 'invalid', message: "the ACME server's answer has no authorizations" },
  ],
  [
    'answers authorizations that are none',
    (ca) => {
      ca.handlers['/order'] = () => ({ object: { authorizations: [5] } });
    },
    { kind: 'invalid', message: "the ACME server's answer has no authorizations" },
  ],
  [
    'offers no challenge of ours',
    (ca) => {
      ca.handlers['/authz'] = () => ({
        object: {
          status: 'pending',
          identifier: { value: DOMAIN },
          challenges: [{ type: 'dns-01', url: 'x', token: 'y' }],
        },
      });
    },
    { kind: 'unavailable', message: 'the ACME server offers no tls-alpn-01 challenge' },
  ],
  [
    'does not believe the proof',
    (ca) => {
      let looks = 0;
      ca.handlers['/authz'] = () => ({
        object: {
          status: looks++ === 0 ? 'pending' : 'invalid',
          identifier: { value: DOMAIN },
          challenges: [
            {
              type: 'tls-alpn-01',
              url: `${CA}/challenge`,
              token: 'tok',
              error: { type: 'urn:ietf:params:acme:error:connection', detail: 'nobody there' },
            },
          ],
        },
      });
    },
    {
      kind: 'unavailable',
      message: 'ACME authorization is invalid: urn:ietf:params:acme:error:connection: nobody there',
    },
  ],
  [
    'gives the order up',
    (ca) => {
      ca.orderStates = ['pending', 'ready', 'invalid'];
    },
    { kind: 'unavailable', message: 'ACME order is invalid' },
  ],
  [
    'never comes to an end',
    (ca) => {
      ca.orderStates = ['pending', 'ready', 'processing'];
    },
    { kind: 'unavailable', message: 'the ACME server does not come to an end' },
  ],
];
for (const [what, bend, error] of refusals) {
  test(`a server that ${what} is told of, and nothing is proved any more`, async () => {
    const ca = new FakeCa();
    bend(ca);
    const terms = ca.meta?.['termsOfService'] === 'https://ca.test/unread';
    const { ordering, proving } = order(ca, { tosAccepted: !terms });
    await assert.rejects(ordering, error);
    assert.equal(proving(), 0);
  });
}

async function ask(t: TestContext, options: { url?: string; trusted?: boolean; size?: number }) {
  const web = await WebOfTrust.create('web');
  const { port } = await serveHttps(t, await web.web(['localhost']), (request, response) => {
    response.end(`${request.method} ${request.headers['user-agent']}`.padEnd(options.size ?? 0));
  });
  const http = acmeHttp({
    userAgent: 'me',
    environment: {},
    authorities: options.trusted === false ? [] : [web.pem],
  });
  const url = options.url ?? `https://localhost:${port}/`;
  return http({ method: 'GET', url, signal: new AbortController().signal });
}

test('a server is asked over https, with our name', async (t) => {
  const { status, body } = await ask(t, {});
  assert.equal(status, 200);
  assert.equal(Buffer.from(body).toString(), 'GET me');
});

test('a server that nobody vouches for, says too much or has no https is not believed', async (t) => {
  await assert.rejects(ask(t, { trusted: false }), {
    kind: 'unavailable',
    message: /self.signed|verify|issuer/,
  });
  await assert.rejects(ask(t, { size: 300_000 }), { message: /longer than 262144 bytes/ });
  await assert.rejects(ask(t, { url: 'http://localhost:1/' }), {
    kind: 'invalid',
    message: 'ACME speaks https only, not http://localhost:1/',
  });
});
