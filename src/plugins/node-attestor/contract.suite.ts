import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AGENT_PATH_PREFIX } from '../../spiffe/spiffe-id.ts';
import type { AgentNodeAttestor, NodeAttestation, ServerNodeAttestor } from './contract.ts';

/** Both ends of one attestor, ready to attest once. */
export type AttestorPair = {
  readonly agent: AgentNodeAttestor;
  readonly server: ServerNodeAttestor;
  readonly clientIp?: string;
};

export type Exchange = { readonly attestation: NodeAttestation; readonly challenges: number };

/** Lets the two ends talk; `tamper` changes what the agent answers. */
export async function exchange(
  { agent, server, clientIp }: AttestorPair,
  tamper: (answer: Uint8Array) => Uint8Array = (answer) => answer,
): Promise<Exchange> {
  const { signal } = new AbortController();
  const { payload, answer } = bound(await agent.begin(signal));
  let challenges = 0;
  const attestation = await server.attest(payload, {
    async challenge(bytes) {
      challenges++;
      return tamper(await answer(bytes));
    },
    clientIp,
    signal,
  });
  return { attestation, challenges };
}

const bound = (attestation: {
  payload: Uint8Array;
  answer(c: Uint8Array): Promise<Uint8Array>;
}) => ({
  payload: attestation.payload,
  answer: (challenge: Uint8Array) => attestation.answer(challenge),
});

/** What every node attestor promises. `open` makes a pair for each test. */
export function nodeAttestorSuite(
  name: string,
  open: () => Promise<AttestorPair>,
  expected: { readonly challenges: number; readonly canReattest: boolean },
): void {
  test(`${name} attests an agent, and says which one it is`, async () => {
    const pair = await open();
    await using _agent = pair.agent;
    await using _server = pair.server;
    assert.equal(pair.agent.name, name);
    assert.equal(pair.server.name, name);
    const { attestation, challenges } = await exchange(pair);
    assert.equal(challenges, expected.challenges);
    assert.equal(attestation.canReattest, expected.canReattest);
    assert.ok(attestation.agentId.path.startsWith(`${AGENT_PATH_PREFIX}${name}/`));
    assert.equal(new Set(attestation.selectorValues).size, attestation.selectorValues.length);
    assert.ok(attestation.selectorValues.every((value) => value !== ''));
  });

  test(`${name} never begins with an empty payload`, async () => {
    const { agent } = await open();
    assert.ok((await agent.begin(new AbortController().signal)).payload.length > 0);
  });

  for (const payload of [Buffer.from('garbage'), Buffer.from('{}'), Buffer.from([0xff, 0xfe])]) {
    test(`${name} refuses the payload ${JSON.stringify(payload.toString())} without a challenge`, async () => {
      const { server } = await open();
      const challenge = () => assert.fail('nothing to prove');
      const conversation = {
        challenge,
        clientIp: '127.0.0.1',
        signal: new AbortController().signal,
      };
      await assert.rejects(server.attest(payload, conversation), {
        name: 'Fault',
        kind: 'invalid',
      });
    });
  }
}
