import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import {
  compactVerify,
  createLocalJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  type JSONWebKeySet,
} from 'jose';
import { dial } from '../../src/rpc/dial.ts';
import { SpiffeWorkloadAPI } from '../../src/wire/gen/spiffe/workload/workload_pb.ts';
import { startTrustDomain } from '../kit/trust-domain.ts';
import { workloadOf } from '../kit/workload.ts';

const headers = { 'workload.spiffe.io': 'true' };
const FLAG = 'experimental { feature_flags = ["wit-svid"] }';
const OWN = `unix:uid:${process.getuid?.() ?? 0}`;

async function start(t: TestContext, agent: string) {
  const domain = await startTrustDomain(t, { server: FLAG, agent });
  await domain.createEntry('/wit', [OWN], '-x509SVIDTTL', '8', '-hint', 'internal');
  await workloadOf(t, domain.agentSocket).has(domain.id('/wit'));
  const channel = dial({ address: `unix:${domain.agentSocket}` });
  t.after(() => {
    channel[Symbol.dispose]();
  });
  return { domain, api: channel.client(SpiffeWorkloadAPI) };
}

test('a workload has a token, the key that it is for, and bundles that verify it; then the next', async (t) => {
  const { domain, api } = await start(t, FLAG);
  const answers = api.fetchWITSVID({}, { headers })[Symbol.asyncIterator]();
  const bundles = api.fetchWITBundles({}, { headers })[Symbol.asyncIterator]();
  const bundle = (await bundles.next()).value?.bundles['spiffe://example.test'] ?? '';
  const { keys: told } = JSON.parse(bundle) as JSONWebKeySet;
  assert.deepEqual(
    told.map(({ use }) => use),
    ['wit-svid'],
  );
  // jose knows no such use.
  const keys = createLocalJWKSet({ keys: told.map((key) => ({ ...key, use: 'sig' })) });
  const tokens: string[] = [];
  for (let turn = 0; turn < 2; turn++) {
    const [svid] = (await answers.next()).value?.svids ?? [];
    assert.ok(svid);
    assert.equal(svid.spiffeId, domain.id('/wit'));
    assert.equal(svid.hint, 'internal');
    await compactVerify(svid.witSvid, keys);
    assert.equal(decodeProtectedHeader(svid.witSvid).typ, 'wit+jwt');
    const { sub, aud, cnf } = decodeJwt<{ cnf: { jwk: Record<string, string> } }>(svid.witSvid);
    assert.deepEqual([sub, aud], [domain.id('/wit'), undefined]);
    const own = createPrivateKey({ key: JSON.parse(svid.witSvidKey) as object, format: 'jwk' });
    const { x, y } = createPublicKey(own).export({ format: 'jwk' });
    assert.deepEqual([cnf.jwk['x'], cnf.jwk['y'], cnf.jwk['alg']], [x, y, 'ES256']);
    tokens.push(svid.witSvid);
  }
  assert.notEqual(tokens[0], tokens[1], 'renewed at half its life');
  await answers.return?.();
  await bundles.return?.();
});

test('an agent without the feature answers as SPIRE does', async (t) => {
  const { api } = await start(t, '');
  const first = async (answers: AsyncIterable<unknown>) => {
    for await (const answer of answers) return answer;
    return undefined;
  };
  await assert.rejects(first(api.fetchWITSVID({}, { headers })), {
    kind: 'unimplemented',
    message: 'fetching WIT-SVIDs is not implemented',
  });
  await assert.rejects(first(api.fetchWITBundles({}, { headers })), {
    kind: 'unimplemented',
    message: 'fetching WIT bundles is not implemented',
  });
});
