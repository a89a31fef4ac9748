import assert from 'node:assert/strict';
import { createPrivateKey } from 'node:crypto';
import { buildCsr } from '../../../src/crypto/csr.ts';
import { generateKey } from '../../../src/crypto/keys.ts';
import { writePayload } from '../../../src/plugins/node-attestor/x509pop/messages.ts';
import { answerChallenge } from '../../../src/plugins/node-attestor/x509pop/proof.ts';
import type { Channel } from '../../../src/rpc/dial.ts';
import { Agent } from '../../../src/wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import type { Identity } from '../server-callers.ts';

export type Proof = {
  readonly type: string;
  readonly payload: Uint8Array<ArrayBuffer>;
  answer(challenge: Uint8Array): Promise<Uint8Array>;
};

export const tokenProof = (token: string): Proof => ({
  type: 'join_token',
  payload: new Uint8Array(Buffer.from(token)),
  answer: () => assert.fail('no challenge is expected'),
});

export function nodeProof(certificate: Uint8Array, privateKey: Uint8Array): Proof {
  const key = createPrivateKey({ key: Buffer.from(privateKey), format: 'der', type: 'pkcs8' });
  return {
    type: 'x509pop',
    payload: new Uint8Array(writePayload([certificate])),
    answer: (challenge) => answerChallenge(key, challenge),
  };
}

/** Attests as an agent does, with a new key. */
export async function attest(channel: Channel, proof: Proof): Promise<Identity> {
  const key = await generateKey('ec-p256');
  const csr = await buildCsr({ uris: [], dnsNames: [] }, key);
  let answered = Promise.withResolvers<Uint8Array | undefined>();
  async function* requests() {
    const data = { type: proof.type, payload: proof.payload };
    yield { step: { case: 'params' as const, value: { data, params: { csr } } } };
    for (;;) {
      const answer = await answered.promise;
      if (answer === undefined) return;
      answered = Promise.withResolvers();
      yield { step: { case: 'challengeResponse' as const, value: new Uint8Array(answer) } };
    }
  }
  try {
    for await (const { step } of channel.client(Agent).attestAgent(requests())) {
      if (step.case === 'challenge') answered.resolve(await proof.answer(step.value));
      else if (step.case === 'result') {
        return { chain: step.value.svid?.certChain ?? [], privateKey: key.toPkcs8() };
      }
    }
  } finally {
    answered.resolve(undefined);
  }
  return assert.fail('the server answered nothing');
}

/** A renewed SVID for the caller of that channel. */
export async function renew(channel: Channel): Promise<Identity> {
  const key = await generateKey('ec-p256');
  const csr = await buildCsr({ uris: [], dnsNames: [] }, key);
  const { svid } = await channel.client(Agent).renewAgent({ params: { csr } });
  return { chain: svid?.certChain ?? [], privateKey: key.toPkcs8() };
}
