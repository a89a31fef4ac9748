import assert from 'node:assert/strict';
import { createHash, createPrivateKey, randomInt } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { type TestContext, test } from 'node:test';
import { buildCsr } from '../../src/crypto/csr.ts';
import { bitString, sequence } from '../../src/crypto/der/writer.ts';
import { generateKey } from '../../src/crypto/keys.ts';
import { writePem } from '../../src/crypto/pem.ts';
import { signingAlgorithmOf } from '../../src/crypto/x509/algorithms.ts';
import { tbsCertificate } from '../../src/crypto/x509/build-certificate.ts';
import { parseCertificate } from '../../src/crypto/x509/certificate.ts';
import { nameDer } from '../../src/crypto/x509/name.ts';
import { writePayload } from '../../src/plugins/node-attestor/x509pop/messages.ts';
import { answerChallenge } from '../../src/plugins/node-attestor/x509pop/proof.ts';
import { Agent } from '../../src/wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { type Holder, rootAuthority } from '../kit/certificates.ts';
import {
  attestOver,
  attestWithToken,
  dialLocal,
  dialNetwork,
  type Identity,
  identityOf,
} from '../kit/server-callers.ts';
import { standard } from '../kit/standard-domain.ts';
import { notRoot } from '../kit/toolchain.ts';
import { TrustDomainProcesses } from '../kit/trust-domain.ts';
import { workloadOf } from '../kit/workload.ts';

const ADMIN_UID = 1000;

/** SPIRE's scenario node-attestation, by a client that speaks for itself. Certificates of nodes are odd as there. */
test('a node attests by a token that somebody chose, renews, and is shut out', async (t) => {
  const { domain } = await start(t);
  using local = dialLocal(domain);
  const chosen = `test_token_${randomInt(1_000_000)}`;
  const { value } = await local.client(Agent).createJoinToken({ token: chosen, ttl: 1000 });
  assert.equal(value, chosen);
  const attested = await attestWithToken(domain, chosen);
  const renewed = await renew(domain, attested);
  assert.notDeepEqual(renewed.chain[0], attested.chain[0]);

  const id = { trustDomain: domain.name, path: `/spire/agent/join_token/${chosen}` };
  await local.client(Agent).banAgent({ id });
  await assert.rejects(renew(domain, renewed), { kind: 'denied' });
});

test('a node attests by its certificate again and again, but not while it is banned', {
  skip: notRoot,
}, async (t) => {
  const { domain, authority, parent } = await start(t);
  await domain.createEntry('/admin', [`unix:uid:${ADMIN_UID}`], '-admin', '-parentID', parent);
  const workload = workloadOf(t, await domain.socketFor(ADMIN_UID));
  await workload.has(domain.id('/admin'));
  using admin = dialNetwork(domain, await identityOf(workload));
  const agents = admin.client(Agent);

  const node = await oddLeaf(authority, 'test');
  const key = createPrivateKey({
    key: Buffer.from(node.key.toPkcs8()),
    format: 'der',
    type: 'pkcs8',
  });
  const attest = async () => {
    using channel = dialNetwork(domain);
    const payload = writePayload([node.certificate.der]);
    const { id } = await attestOver(channel, domain, 'x509pop', payload, async (challenge) =>
      answerChallenge(key, challenge),
    );
    assert.equal(id, domain.id(pathOf(node)));
  };
  const id = { trustDomain: domain.name, path: pathOf(node) };
  await attest();
  await attest();
  await agents.deleteAgent({ id });
  await attest();
  await agents.banAgent({ id });
  await assert.rejects(attest(), {
    kind: 'denied',
    message: 'failed to attest: agent is banned',
  });
  await agents.deleteAgent({ id });
  await attest();
});

/** A server that takes such certificates, and an agent that has one. */
async function start(t: TestContext) {
  const domain = await TrustDomainProcesses.create(standard);
  t.after(() => domain[Symbol.asyncDispose]());
  const now = Math.floor(Date.now() / 1000);
  const authority = await rootAuthority('Agent CA', {
    serialNumber: 1n,
    notBefore: now - 60,
    notAfter: now + 3600,
    keyUsage: [],
  });
  const write = async (name: string, label: string, der: Uint8Array): Promise<string> => {
    await writeFile(domain.path(name), writePem(label, der), { mode: 0o600 });
    return domain.path(name);
  };
  const ca = await write('node-ca.pem', 'CERTIFICATE', authority.certificate.der);
  const leaf = await oddLeaf(authority, 'agent');
  const certificate = await write('node.pem', 'CERTIFICATE', leaf.certificate.der);
  const key = await write('node.key', 'PRIVATE KEY', leaf.key.toPkcs8());
  await domain.configure({
    ...standard,
    serverAttestors: `NodeAttestor "x509pop" { plugin_data { ca_bundle_path = "${ca}" } }`,
  });
  await domain.firstAgent.configure({
    agentAttestor: `NodeAttestor "x509pop" { plugin_data {
      private_key_path = "${key}" certificate_path = "${certificate}"
    } }`,
  });
  await domain.startServer();
  await domain.writeBundle();
  await domain.startAgent();
  return { domain, authority, parent: domain.id(pathOf(leaf)) };
}

/** A certificate as SPIRE's suites make them: serial number 0, and valid since the year 1. We make no such ourselves. */
async function oddLeaf({ certificate: issuer, key: signer }: Holder, name: string) {
  const key = await generateKey('ec-p256');
  const algorithm = signingAlgorithmOf(signer.publicKey);
  const even = tbsCertificate(
    {
      serialNumber: 1n,
      issuer: issuer.subject,
      subject: nameDer([['CN', name]]),
      notBefore: Date.UTC(2050) / 1000,
      notAfter: Math.floor(Date.now() / 1000) + 3600,
      publicKey: key.publicKey.spki,
      keyUsage: ['digitalSignature'],
      basicConstraints: { ca: false },
      uris: [],
      dnsNames: [],
    },
    algorithm.der,
  );
  // Each as long as what it replaces: version and serial number, and the beginning.
  const tbs = Buffer.from(
    Buffer.from(even)
      .toString('latin1')
      .replace('\xa0\x03\x02\x01\x02\x02\x01\x01', '\xa0\x03\x02\x01\x02\x02\x01\x00')
      .replace('20500101000000Z', '00010101000000Z'),
    'latin1',
  );
  const signature = await signer.sign(tbs, algorithm.hash);
  const certificate = parseCertificate(sequence(tbs, algorithm.der, bitString(signature)));
  assert.equal(certificate.serialNumber, 0n);
  return { certificate, key };
}

const pathOf = ({ certificate }: { readonly certificate: { readonly der: Uint8Array } }) =>
  `/spire/agent/x509pop/${createHash('sha1').update(certificate.der).digest('hex')}`;

/** Renews the SVID of an agent; the new one. */
async function renew(domain: TrustDomainProcesses, identity: Identity): Promise<Identity> {
  using channel = dialNetwork(domain, identity);
  const key = await generateKey('ec-p256');
  const csr = await buildCsr({ uris: [], dnsNames: [] }, key);
  const { svid } = await channel.client(Agent).renewAgent({ params: { csr } });
  return { chain: svid?.certChain ?? [], privateKey: key.toPkcs8() };
}
