import assert from 'node:assert/strict';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { Outbox } from '../../src/agent/server/outbox.ts';
import { buildCsr } from '../../src/crypto/csr.ts';
import { generateKey } from '../../src/crypto/keys.ts';
import { parseCertificates } from '../../src/crypto/x509/certificate.ts';
import { type Channel, dial } from '../../src/rpc/dial.ts';
import {
  Agent,
  type AttestAgentRequestSchema,
} from '../../src/wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { SVID } from '../../src/wire/gen/spire/api/server/svid/v1/svid_pb.ts';
import type { TrustDomainProcesses } from './trust-domain.ts';
import type { Workload } from './workload.ts';

/** What a caller shows at the TLS port. */
export type Identity = { readonly chain: readonly Uint8Array[]; readonly privateKey: Uint8Array };

/** A caller on the private socket. */
export const dialLocal = (domain: TrustDomainProcesses): Channel =>
  dial({ address: `unix:${domain.serverSocket}` });

/** A caller from the network. Who the server is does not matter to it. */
export const dialNetwork = (domain: TrustDomainProcesses, identity?: Identity): Channel =>
  dial({
    address: `127.0.0.1:${domain.port}`,
    tls: { identity: () => identity, verify: () => undefined },
  });

/** An X509-SVID of any ID of the trust domain, straight from the server. */
export async function mintIdentity(domain: TrustDomainProcesses, id: string): Promise<Identity> {
  using channel = dialLocal(domain);
  const key = await generateKey('ec-p256');
  const csr = await buildCsr({ uris: [id], dnsNames: [] }, key);
  const { svid } = await channel.client(SVID).mintX509SVID({ csr, ttl: 3600 });
  return { chain: svid?.certChain ?? [], privateKey: key.toPkcs8() };
}

/** What a workload shows: the first SVID that its agent gives it. */
export async function identityOf(workload: Workload): Promise<Identity> {
  const [svid] = (await workload.x509()).svids;
  assert.ok(svid);
  return {
    chain: parseCertificates(svid.x509Svid).map(({ der }) => der),
    privateKey: svid.x509SvidKey,
  };
}

export type AttestedIdentity = Identity & { readonly id: string };

/** Attests as an agent does that has nothing but a token. */
export async function attestWithToken(
  domain: TrustDomainProcesses,
  token: string,
): Promise<AttestedIdentity> {
  using channel = dialNetwork(domain);
  return await attestOver(channel, domain, 'join_token', Buffer.from(token));
}

/** Attests on a connection that is open; challenges are answered by `respond`. The server ends the stream after the result. */
export async function attestOver(
  channel: Channel,
  domain: TrustDomainProcesses,
  type: string,
  payload: Uint8Array,
  respond: (challenge: Uint8Array) => Promise<Uint8Array> = () => assert.fail('a challenge'),
): Promise<AttestedIdentity> {
  const key = await generateKey('ec-p256');
  const csr = await buildCsr({ uris: [], dnsNames: [] }, key);
  const requests = new Outbox<MessageInitShape<typeof AttestAgentRequestSchema>>();
  requests.send({ step: { case: 'params', value: { data: { type, payload }, params: { csr } } } });
  let attested: AttestedIdentity | undefined;
  try {
    for await (const { step } of channel.client(Agent).attestAgent(requests)) {
      if (step.case === 'challenge') {
        const value = await respond(step.value);
        requests.send({ step: { case: 'challengeResponse', value } });
        continue;
      }
      assert.equal(step.case, 'result');
      const { svid } = step.value;
      const id = domain.id(svid?.id?.path ?? '');
      attested = { id, chain: svid?.certChain ?? [], privateKey: key.toPkcs8() };
    }
  } finally {
    requests.close();
  }
  return attested ?? assert.fail('the server answered nothing');
}
