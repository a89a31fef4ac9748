import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Bundle, emptyBundle } from '../../../spiffe/bundle.ts';
import { readBundleDocument } from '../../../spiffe/bundle-document.ts';
import { TrustDomain } from '../../../spiffe/trust-domain.ts';
import { createBundleAnswers } from './bundle-answers.ts';

const own = TrustDomain.parse('golden.test');
const fixture = join(import.meta.dirname, '../../../../test/data/fixtures/endpoint/endpoint.json');

function answers(bundle: () => Bundle | undefined, refreshHintSeconds = 300) {
  const failures: unknown[] = [];
  const answer = createBundleAnswers({
    bundle,
    refreshHintSeconds,
    onFailure: (error) => failures.push(error),
  });
  const ask = (method: string, target: string) => {
    const { status, headers, body } = answer(method, target);
    assert.equal(headers['Content-Length'], String(body.length));
    return { status, type: headers['Content-Type'], body: Buffer.from(body).toString() };
  };
  return { ask, answer, failures };
}

test('the document is that of SPIRE, byte for byte', async () => {
  const golden = await readFile(fixture, 'utf8');
  const { refreshHintSeconds, ...bundle } = readBundleDocument(own, golden);
  const { ask } = answers(() => ({ ...bundle, refreshHintSeconds: 1 }), refreshHintSeconds);
  assert.deepEqual(ask('GET', '/'), { status: 200, type: 'application/json', body: golden });
});

test('a query, a fragment or a whole URL change nothing', () => {
  const { ask } = answers(() => emptyBundle(own));
  const document = '{\n    "keys": [],\n    "spiffe_refresh_hint": 300\n}';
  for (const target of [
    '/',
    '/?a=b',
    '/?/x',
    '/#x',
    'https://b.test/',
    'https://b.test',
    'HTTP://b.test:1/?x',
  ]) {
    assert.equal(ask('GET', target).body, document, target);
  }
});

const refusals: readonly [method: string, target: string, status: number, body: string][] = [
  ['POST', '/', 405, '405 method not allowed\n'],
  ['HEAD', '/', 405, '405 method not allowed\n'],
  ['get', '/', 405, '405 method not allowed\n'],
  ['POST', '/x', 405, '405 method not allowed\n'],
  ['GET', '/x', 404, '404 page not found\n'],
  ['GET', '//', 404, '404 page not found\n'],
  ['GET', '/.', 404, '404 page not found\n'],
  ['GET', '/x/../', 404, '404 page not found\n'],
  ['GET', '/%2F', 404, '404 page not found\n'],
  ['GET', '*', 404, '404 page not found\n'],
  ['GET', 'https://b.test/x', 404, '404 page not found\n'],
];
for (const [method, target, status, body] of refusals) {
  test(`${method} ${target} is answered with ${status}`, () => {
    const { ask } = answers(() => emptyBundle(own));
    assert.deepEqual(ask(method, target), { status, type: 'text/plain; charset=utf-8', body });
  });
}

test('no bundle, or one that cannot be written, is the server’s fault', () => {
  assert.equal(
    answers(() => undefined).ask('GET', '/').body,
    '500 unable to retrieve local bundle\n',
  );
  const malformed = {
    ...emptyBundle(own),
    x509Authorities: [{ der: new Uint8Array(3), tainted: false }],
  };
  const { ask, failures } = answers(() => malformed);
  assert.equal(ask('GET', '/').body, '500 unable to marshal local bundle\n');
  assert.equal(failures.length, 1);
});

test('the document is written once for each bundle', () => {
  let bundle = emptyBundle(own);
  const { answer } = answers(() => bundle);
  const first = answer('GET', '/');
  assert.equal(answer('GET', '/').body, first.body);
  bundle = { ...bundle, sequenceNumber: 1n };
  assert.match(Buffer.from(answer('GET', '/').body).toString(), /"spiffe_sequence": 1,/);
});

for (const [configured, shown] of [
  [61.5, '\n    "spiffe_refresh_hint": 61\n'],
  [0.5, '\n    "keys": []\n'],
  [-60, '\n    "keys": []\n'],
] as const) {
  test(`a hint of ${configured} s is told in whole seconds`, () => {
    const { ask } = answers(() => ({ ...emptyBundle(own), refreshHintSeconds: 7 }), configured);
    assert.ok(ask('GET', '/').body.includes(shown));
  });
}
