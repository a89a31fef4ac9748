import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { leafOf, rootAuthority } from '../../test/kit/certificates.ts';
import { temporaryFolder } from '../../test/kit/temp-dir.ts';
import { Fault } from '../base/fault.ts';
import { silentLog } from '../ops/log.ts';
import { createRpcServer } from '../rpc/serve.ts';
import { type Implementation, implement } from '../rpc/service.ts';
import { listenUnix } from '../rpc/unix-socket.ts';
import {
  SpiffeWorkloadAPI,
  type X509SVIDResponseSchema,
} from '../wire/gen/spiffe/workload/workload_pb.ts';
import { fetchX509Svid } from './fetch-x509-svid.ts';

type Answer = MessageInitShape<typeof X509SVIDResponseSchema> | Fault;
const { signal } = new AbortController();

/** A Workload API that gives those answers and then keeps its stream open. */
async function serve(t: TestContext, answers: readonly Answer[]): Promise<string> {
  const folder = await temporaryFolder();
  const path = join(folder.path, 's.sock');
  const refuse = () => Promise.reject(new Fault('unimplemented', 'not here'));
  const refuseStream = (): AsyncIterable<never> => ({
    [Symbol.asyncIterator]: () => ({ next: refuse }),
  });
  const implementation: Implementation<typeof SpiffeWorkloadAPI, AbortSignal> = {
    async *fetchX509SVID(_request, ended) {
      for (const answer of answers) {
        if (answer instanceof Fault) throw answer;
        yield answer;
      }
      if (answers.length > 0)
        await new Promise((resolve) => ended.addEventListener('abort', resolve));
    },
    fetchX509Bundles: refuseStream,
    fetchJWTSVID: refuse,
    fetchJWTBundles: refuseStream,
    validateJWTSVID: refuse,
    fetchWITSVID: refuseStream,
    fetchWITBundles: refuseStream,
  };
  const rpc = createRpcServer<undefined, AbortSignal>({
    services: [implement(SpiffeWorkloadAPI, implementation)],
    async intercept(call, proceed) {
      assert.deepEqual(call.header('workload.spiffe.io'), ['true']);
      await proceed(call.signal);
    },
    log: silentLog,
  });
  const listener = await listenUnix(path, {
    mode: 0o600,
    directoryMode: 0o700,
    onConnection: (socket) => {
      rpc.inject(socket, undefined);
    },
  });
  t.after(async () => {
    listener.close();
    await rpc.shutDown(0);
    await folder[Symbol.asyncDispose]();
  });
  return `unix://${path}`;
}

test('fetches the first SVID of the first answer, and ends the stream', async (t) => {
  const root = await rootAuthority('root');
  const { certificate, key } = await leafOf(root, 'spiffe://example.org/web');
  const first = {
    spiffeId: 'spiffe://example.org/web',
    x509Svid: Buffer.concat([certificate.der, root.certificate.der]),
    x509SvidKey: key.toPkcs8(),
  };
  const endpoint = await serve(t, [{ svids: [first, { spiffeId: 'spiffe://example.org/other' }] }]);
  const svid = await fetchX509Svid(endpoint, signal);
  assert.equal(svid.id.toString(), 'spiffe://example.org/web');
  assert.equal(svid.chain.length, 2);
  assert.deepEqual(Buffer.from(svid.privateKey), Buffer.from(key.toPkcs8()));
});

const refused: [why: string, answers: Answer[], message: string | RegExp][] = [
  ['no answer', [], 'the stream ended without a response'],
  ['an answer without SVIDs', [{}], 'no SVIDs in response'],
  [
    'an SVID without certificate',
    [{ svids: [{ spiffeId: 'spiffe://a/b' }] }],
    'response has an SVID without certificate',
  ],
  ['what is no certificate', [{ svids: [{ x509Svid: Buffer.from('x') }] }], /./],
  ['a refusal', [new Fault('denied', 'no identity issued')], 'no identity issued'],
];
for (const [why, answers, message] of refused) {
  test(`fails with ${why}`, async (t) => {
    const endpoint = await serve(t, answers);
    await assert.rejects(fetchX509Svid(endpoint, signal), { name: 'Fault', message });
  });
}

test('fails where nobody listens, and with an address that is none', async () => {
  await assert.rejects(fetchX509Svid('unix:///nowhere/s.sock', signal), { kind: 'unavailable' });
  await assert.rejects(fetchX509Svid('blah', signal), { kind: 'invalid' });
});

test('ends with the reason of its signal', async (t) => {
  const endpoint = await serve(t, [{}]);
  const reason = new Error('enough');
  await assert.rejects(fetchX509Svid(endpoint, AbortSignal.abort(reason)), reason);
});
