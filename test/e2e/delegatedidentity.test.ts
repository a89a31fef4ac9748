import assert from 'node:assert/strict';
import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { parseCertificates } from '../../src/crypto/x509/certificate.ts';
import { type Client, dial } from '../../src/rpc/dial.ts';
import { DelegatedIdentity } from '../../src/wire/gen/spire/api/agent/delegatedidentity/v1/delegatedidentity_pb.ts';
import { Relay } from '../kit/relay.ts';
import { startTrustDomain, type TrustDomainProcesses } from '../kit/trust-domain.ts';
import { workloadOf } from '../kit/workload.ts';

const DELEGATE = 1001;
const WORKLOAD = 1002;
const skip = process.getuid?.() !== 0 && 'only root starts processes of other users';
const selectors = [{ type: 'unix', value: `uid:${WORKLOAD}` }];

async function start(t: TestContext): Promise<TrustDomainProcesses> {
  const domain = await startTrustDomain(t, {
    adminSocket: true,
    agent: 'authorized_delegates = ["spiffe://example.test/authorized_delegate"]',
  });
  // An operator who has delegates lets them reach the socket, by its group as a rule.
  await chmod(domain.adminFolder, 0o755);
  await chmod(domain.firstAgent.adminSocket, 0o777);
  await domain.createEntry('/authorized_delegate', [`unix:uid:${DELEGATE}`]);
  await domain.createEntry('/workload', [`unix:uid:${WORKLOAD}`]);
  const workload = workloadOf(t, await domain.socketFor(WORKLOAD));
  await workload.has(domain.id('/workload'));
  return domain;
}

/** The API as a process of that user reaches it. */
async function apiAs(
  t: TestContext,
  { folder, firstAgent }: TrustDomainProcesses,
  uid: number,
): Promise<Client<typeof DelegatedIdentity>> {
  const relays = join(folder, 'admin');
  await mkdir(relays);
  const relay = await Relay.start(relays, firstAgent.adminSocket, uid);
  const channel = dial({ address: `unix:${relay.path}` });
  t.after(async () => {
    channel[Symbol.dispose]();
    await relay[Symbol.asyncDispose]();
  });
  return channel.client(DelegatedIdentity);
}

async function first<T>(answers: AsyncIterable<T>): Promise<T> {
  for await (const answer of answers) return answer;
  return assert.fail('no answer');
}

/** SPIRE's scenario delegatedidentity, from here to the refusals. */
test('a delegate has the identities of the workload that it names', { skip }, async (t) => {
  const domain = await start(t);
  const api = await apiAs(t, domain, DELEGATE);
  const { svids } = await api.fetchJWTSVIDs({ audience: ['audience-1'], selectors });
  assert.deepEqual(
    svids.map(({ id }) => id?.path),
    ['/workload'],
  );
  const { x509Svids } = await first(api.subscribeToX509SVIDs({ selectors }));
  const leaves = x509Svids.map(({ x509Svid }) =>
    parseCertificates(x509Svid?.certChain[0] ?? new Uint8Array()),
  );
  assert.deepEqual(
    leaves.map(([leaf]) => leaf?.uris),
    [[domain.id('/workload')]],
  );
  const own = ['spiffe://example.test'];
  const x509 = await first(api.subscribeToX509Bundles({}));
  assert.deepEqual(Object.keys(x509.caCertificates), own);
  const jwt = await first(api.subscribeToJWTBundles({}));
  assert.deepEqual(Object.keys(jwt.bundles), own);
});

test('whoever is none is refused, by every method', { skip }, async (t) => {
  const domain = await start(t);
  const api = await apiAs(t, domain, WORKLOAD);
  const refused = {
    kind: 'denied',
    message: 'caller not configured as an authorized delegate',
  };
  await assert.rejects(api.fetchJWTSVIDs({ audience: ['audience-1'], selectors }), refused);
  await assert.rejects(first(api.subscribeToX509SVIDs({ selectors })), refused);
  await assert.rejects(first(api.subscribeToX509Bundles({})), refused);
  await assert.rejects(first(api.subscribeToJWTBundles({})), refused);
});

test('a delegate whose entry goes hears no more of the workload', { skip }, async (t) => {
  const domain = await start(t);
  const api = await apiAs(t, domain, DELEGATE);
  const answers = api.subscribeToX509SVIDs({ selectors })[Symbol.asyncIterator]();
  assert.equal((await answers.next()).done, false);
  const { stdout } = await domain.runServer(
    'entry',
    'show',
    '-spiffeID',
    domain.id('/authorized_delegate'),
    '-output',
    'json',
  );
  const { entries } = JSON.parse(stdout) as { entries: { id: string }[] };
  await domain.runServer('entry', 'delete', '-entryID', entries[0]?.id ?? '');
  await domain.createEntry('/workload-too', [`unix:uid:${WORKLOAD}`]);
  const told = async () => {
    for (;;) await answers.next();
  };
  await assert.rejects(told, { kind: 'denied', message: 'no identity issued' });
});
