import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { type Holder, leafOf, rootAuthority } from '../../test/kit/certificates.ts';
import { VirtualClock } from '../../test/kit/clock.ts';
import { temporaryFolder } from '../../test/kit/temp-dir.ts';
import { FakeWorkloadApi } from '../../test/kit/workload-api.ts';
import { Fault, reasonOf } from '../base/fault.ts';
import { generateKey } from '../crypto/keys.ts';
import { TrustDomain } from '../spiffe/trust-domain.ts';
import type { X509SVIDResponseSchema } from '../wire/gen/spiffe/workload/workload_pb.ts';
import { X509Source } from './x509-source.ts';

type Response = MessageInitShape<typeof X509SVIDResponseSchema>;

const root = await rootAuthority('root');
const other = await rootAuthority('other');
const holder = (path: string) => leafOf(root, `spiffe://example.org${path}`);
const svidOf = ({ certificate, key }: Holder) => ({
  spiffeId: certificate.uris[0] ?? '',
  x509Svid: certificate.der,
  x509SvidKey: key.toPkcs8(),
  bundle: root.certificate.der,
});
const answer = (...holders: readonly Holder[]): Response => ({
  svids: holders.map(svidOf),
  federatedBundles: { 'spiffe://other.test': other.certificate.der },
});

async function open(t: TestContext, path: string, signal = new AbortController().signal) {
  const clock = new VirtualClock();
  const failures: string[] = [];
  const opened = X509Source.open({
    endpoint: `unix://${path}`,
    clock,
    failed: (error) => failures.push(reasonOf(error)),
    signal,
  });
  opened.then(
    (source) => t.after(() => source[Symbol.asyncDispose]()),
    () => undefined,
  );
  return { opened, clock, failures };
}

async function place(t: TestContext): Promise<string> {
  const folder = await temporaryFolder();
  t.after(() => folder[Symbol.asyncDispose]());
  return join(folder.path, 'w.sock');
}

/** Lets time pass on that clock, if one is given, and things happen. */
async function until(condition: () => boolean, clock?: VirtualClock): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > deadline) assert.fail('waited in vain');
    await clock?.advance({ seconds: 33 });
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test('holds the default SVID with the bundles that verify its peers, the newest always', async (t) => {
  const [first, second] = [await holder('/a'), await holder('/b')];
  const path = await place(t);
  await using api = await FakeWorkloadApi.serve(path);
  api.give(answer(first, second));
  const { opened } = await open(t, path);
  const source = await opened;
  const { svid } = source;
  assert.equal(svid.id.toString(), 'spiffe://example.org/a');
  const rootsOf = (name: string) =>
    source.bundleOf(TrustDomain.parse(name))?.x509Authorities.map(({ der }) => Buffer.from(der));
  assert.deepEqual(rootsOf('example.org'), [Buffer.from(root.certificate.der)]);
  assert.deepEqual(rootsOf('other.test'), [Buffer.from(other.certificate.der)]);
  assert.equal(rootsOf('third.test'), undefined);
  api.give(answer(second));
  await until(() => source.svid.id.toString() === 'spiffe://example.org/b');
});

test('waits for an API that is not there yet, has no identity yet, or talks nonsense', async (t) => {
  const path = await place(t);
  const { opened, clock, failures } = await open(t, path);
  await until(() => failures.length === 1);
  assert.match(failures[0] ?? '', /no such file or directory/);
  await using api = await FakeWorkloadApi.serve(path);
  const key = await generateKey('ec-p256');
  const svid = svidOf(await holder('/a'));
  const wrong: [answer: Response | Fault, failure: RegExp][] = [
    [new Fault('denied', 'no identity issued'), /no identity issued/],
    [{}, /malformed response: no SVIDs in response/],
    [
      { svids: [{ ...svid, x509SvidKey: key.toPkcs8() }] },
      /leaf certificate does not match private key/,
    ],
    [
      { svids: [{ ...svid, x509Svid: new Uint8Array() }] },
      /malformed response: .*no certificates found/,
    ],
    [{ svids: [{ ...svid, bundle: Buffer.from('x') }] }, /malformed response: x509: /],
    [{ svids: [svid], federatedBundles: { 'http://a': new Uint8Array() } }, /malformed response: /],
  ];
  for (const [response, failure] of wrong) {
    api.give(response);
    await until(() => failure.test(failures.at(-1) ?? ''), clock);
  }
  const late = answer(await holder('/late'));
  api.give(late);
  let there = false;
  opened.then(
    () => (there = true),
    () => undefined,
  );
  await until(() => there, clock);
  assert.equal((await opened).svid.id.toString(), 'spiffe://example.org/late');
});

test('keeps what it has while the API is away, and takes what it says when it is back', async (t) => {
  const path = await place(t);
  const api = await FakeWorkloadApi.serve(path);
  api.give(answer(await holder('/a')));
  const { opened, clock, failures } = await open(t, path);
  const source = await opened;
  await api[Symbol.asyncDispose]();
  await until(() => failures.length > 3, clock);
  assert.equal(source.svid.id.toString(), 'spiffe://example.org/a');
  await using back = await FakeWorkloadApi.serve(path);
  back.give(answer(await holder('/b')));
  await until(() => source.svid.id.toString() === 'spiffe://example.org/b', clock);
});

test('gives up where such calls are not taken, and when it is told to', async (t) => {
  const path = await place(t);
  await using api = await FakeWorkloadApi.serve(path);
  api.give(new Fault('invalid', 'security header missing from request'));
  await assert.rejects((await open(t, path)).opened, {
    kind: 'invalid',
    message: 'security header missing from request',
  });
  const stop = new AbortController();
  const waiting = (await open(t, `${path}.nope`, stop.signal)).opened;
  const reason = new Error('enough');
  stop.abort(reason);
  await assert.rejects(waiting, reason);
  await assert.rejects((await open(t, path, AbortSignal.abort(reason))).opened, reason);
});
