import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { type Init, type TestCall, testCall } from '../../../../test/kit/api-call.ts';
import { apiSuite, damaged } from '../../../../test/kit/api-world.ts';
import { Fault } from '../../../base/fault.ts';
import { parseCertificate } from '../../../crypto/x509/certificate.ts';
import type { ServerNodeAttestor } from '../../../plugins/node-attestor/contract.ts';
import { SpiffeId } from '../../../spiffe/spiffe-id.ts';
import {
  AttestAgentRequestSchema,
  type AttestAgentResponseSchema,
} from '../../../wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { type AttestAgentDeps, attestAgent } from './attest-agent.ts';

type Request = Init<typeof AttestAgentRequestSchema>;
type Attest = ServerNodeAttestor['attest'];

apiSuite('AttestAgent', (world) => {
  const params = async (type: string, payload = 'payload', csr?: Uint8Array): Promise<Request> => ({
    step: {
      case: 'params',
      value: {
        data: { type, payload: Buffer.from(payload) },
        params: { csr: csr ?? (await world.csr()) },
      },
    },
  });
  const response = (text: string): Request => ({
    step: { case: 'challengeResponse', value: Buffer.from(text) },
  });

  /** Plays a stream in which the agent says these things, one each time that it is asked. */
  const play = async (
    requests: Request[],
    { deps = {}, call = testCall() }: { deps?: Partial<AttestAgentDeps>; call?: TestCall } = {},
  ) => {
    async function* messages() {
      for (const request of requests) yield create(AttestAgentRequestSchema, request);
    }
    const challenges: string[] = [];
    let result: Init<typeof AttestAgentResponseSchema>['step'];
    for await (const answer of attestAgent({ ...world.deps, ...deps }, messages(), call)) {
      assert.ok('step' in answer && answer.step);
      if (answer.step.case === 'challenge') challenges.push(String(answer.step.value));
      else result = answer.step;
    }
    assert.ok(result?.case === 'result');
    const { svid, reattestable } = result.value;
    return { challenges, svid, reattestable, call };
  };

  const token = (name: string, ttl = 600) =>
    world.datastore.joinTokens.create({ token: name, expiresAt: world.clock.now() / 1000 + ttl });

  const attestor = (attest: Attest) => ({ nodeAttestors: new Map([['fake', { attest }]]) });
  const attests = (name: string, more: Partial<Awaited<ReturnType<Attest>>> = {}) =>
    attestor(async () => ({
      agentId: world.id(`/spire/agent/fake/${name}`),
      selectorValues: ['b', 'a', 'a'],
      canReattest: true,
      ...more,
    }));
  const stored = (path: string) => world.datastore.agents.get(world.id(path));

  test('a join token makes an agent, once', async () => {
    await token('one');
    const { svid, reattestable, call } = await play([await params('join_token', 'one')]);
    const id = 'spiffe://example.org/spire/agent/join_token/one';
    const leaf = parseCertificate(svid?.certChain?.[0] ?? new Uint8Array());
    assert.deepEqual(leaf.uris, [id]);
    assert.equal(svid?.expiresAt, BigInt(leaf.notAfter));
    assert.equal(reattestable, false);

    const agent = (await stored('/spire/agent/join_token/one'))?.value;
    assert.equal(agent?.serialNumber, leaf.serialNumber.toString());
    assert.equal(agent?.expiresAt, leaf.notAfter);
    assert.equal(agent?.attestationType, 'join_token');
    assert.deepEqual(agent?.selectors, []);
    assert.deepEqual(world.deps.agents.get(world.id('/spire/agent/join_token/one')), agent);

    assert.deepEqual(call.audited, { node_attestor_type: 'join_token', agent_id: id });
    assert.deepEqual(call.costs, [1]);
    assert.deepEqual(call.lines, [
      {
        message: 'Agent attestation request completed',
        fields: { address: '127.0.0.1:4711', agent_id: id, node_attestor_type: 'join_token' },
      },
    ]);
    await assert.rejects(play([await params('join_token', 'one')]), {
      kind: 'invalid',
      message: 'failed to attest: join token does not exist or has already been used',
    });
  });

  test('of many who show one token at once, one gets on', async () => {
    await token('race');
    const outcomes = await Promise.allSettled(
      Array.from({ length: 8 }, async () => play([await params('join_token', 'race')])),
    );
    assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
  });

  const refusedTokens: [why: string, token: string, ttl: number, kind: string, message: string][] =
    [
      ['expired', 'late', -1, 'invalid', 'join token expired'],
      [
        'cannot stand in a path',
        'no spaces',
        600,
        'internal',
        'failed to create join token ID: path segment characters are limited to letters, numbers, dots, dashes, and underscores',
      ],
    ];
  for (const [why, name, ttl, kind, message] of refusedTokens) {
    test(`a token that ${why} is refused, and gone`, async () => {
      await token(name, ttl);
      await assert.rejects(play([await params('join_token', name)]), { kind, message });
      assert.equal(await world.datastore.joinTokens.spend(name), undefined);
    });
  }

  test('a token is good in its last second', async () => {
    await token('last', 0);
    await play([await params('join_token', 'last')]);
  });

  test('a token is gone even if a later step fails', async () => {
    await token('spent');
    await assert.rejects(play([await params('join_token', 'spent', Buffer.from('no CSR'))]), {
      kind: 'invalid',
      message: /^failed to parse CSR: ./,
    });
    assert.equal(await world.datastore.joinTokens.spend('spent'), undefined);
  });

  test('a CSR that its key did not sign gets no SVID', async () => {
    await token('unsigned');
    const csr = damaged(await world.csr());
    await assert.rejects(play([await params('join_token', 'unsigned', csr)]), {
      kind: 'invalid',
      message: /^failed to verify CSR signature: ./,
    });
  });

  test('an attestor asks, the agent answers, and the selectors are stored', async () => {
    const seen: unknown[] = [];
    const deps = attestor(async (payload, conversation) => {
      seen.push(String(payload), conversation.clientIp);
      const first = await conversation.challenge(Buffer.from('who?'));
      const second = await conversation.challenge(Buffer.from(`really ${String(first)}?`));
      seen.push(String(second));
      return {
        agentId: world.id('/spire/agent/fake/asked'),
        selectorValues: ['b', 'a', 'a'],
        canReattest: true,
      };
    });
    const { challenges, reattestable } = await play(
      [await params('fake', 'hello'), response('me'), response('yes')],
      { deps },
    );
    assert.deepEqual(challenges, ['who?', 'really me?']);
    assert.deepEqual(seen, ['hello', '127.0.0.1', 'yes']);
    assert.equal(reattestable, true);
    assert.deepEqual((await stored('/spire/agent/fake/asked'))?.value.selectors, [
      { type: 'fake', value: 'a' },
      { type: 'fake', value: 'b' },
    ]);
  });

  test('a message without an answer counts as an empty one', async () => {
    const deps = attestor(async (_, conversation) => {
      assert.equal((await conversation.challenge(Buffer.from('?'))).length, 0);
      return { agentId: world.id('/spire/agent/fake/e'), selectorValues: [], canReattest: false };
    });
    await play([await params('fake'), {}], { deps });
  });

  test('the own ID becomes a selector if that is configured', async () => {
    await token('selector');
    await play([await params('join_token', 'selector')], {
      deps: { agentSpiffeIdAsSelector: true },
    });
    const id = 'spiffe://example.org/spire/agent/join_token/selector';
    assert.deepEqual((await stored('/spire/agent/join_token/selector'))?.value.selectors, [
      { type: 'spiffe_id', value: id },
    ]);
  });

  test('who attests again keeps its place, and loses what it had renewed', async () => {
    await play([await params('fake')], { deps: attests('again') });
    const id = world.id('/spire/agent/fake/again');
    const first = await world.deps.agents.update(id, {
      newSerialNumber: '77',
      newExpiresAt: 2_000_000_000,
      agentVersion: '1.16.0',
    });
    await play([await params('fake')], {
      deps: attests('again', { selectorValues: ['c'], canReattest: false }),
    });
    const second = (await stored('/spire/agent/fake/again'))?.value;
    assert.notEqual(second?.serialNumber, first.serialNumber);
    assert.equal(second?.newSerialNumber, '');
    assert.equal(second?.agentVersion, '1.16.0');
    assert.equal(second?.canReattest, false);
    assert.deepEqual(second?.selectors, [{ type: 'fake', value: 'c' }]);
  });

  test('a banned agent stays out', async () => {
    await play([await params('fake')], { deps: attests('banned') });
    await world.deps.agents.ban(world.id('/spire/agent/fake/banned'));
    await assert.rejects(play([await params('fake')], { deps: attests('banned') }), {
      kind: 'denied',
      denial: undefined,
      message: 'failed to attest: agent is banned',
    });
  });

  test('an agent that is banned while it attests stays out too', async () => {
    await play([await params('fake')], { deps: attests('late-ban') });
    const known = await world.deps.agents.confirm(world.id('/spire/agent/fake/late-ban'));
    await world.deps.agents.ban(world.id('/spire/agent/fake/late-ban'));
    const agents = {
      confirm: async () => known,
      attested: world.deps.agents.attested.bind(world.deps.agents),
    };
    await assert.rejects(
      play([await params('fake')], { deps: { ...attests('late-ban'), agents } }),
      {
        kind: 'denied',
        message: 'failed to attest: agent is banned',
      },
    );
  });

  test('an attestor may not name the server', async () => {
    const deps = attests('x', { agentId: world.id('/spire/server') });
    await assert.rejects(play([await params('fake')], { deps }), {
      kind: 'internal',
      message: 'agent ID cannot collide with the server ID',
    });
  });

  test('an ID outside the namespace of agents is warned of, and let in', async () => {
    const { call } = await play([await params('fake')], {
      deps: attests('x', { agentId: world.id('/elsewhere') }),
    });
    assert.match(call.lines[0]?.message ?? '', /^The node attestor produced an invalid agent ID/);
    assert.ok(await stored('/elsewhere'));
  });

  test('the fault of an attestor is passed on as it is', async () => {
    const deps = attestor(async () => {
      throw new Fault('denied', 'nodeattestor(fake): certificate is not trusted');
    });
    await assert.rejects(play([await params('fake')], { deps }), {
      kind: 'denied',
      message: 'nodeattestor(fake): certificate is not trusted',
    });
  });

  test('an attestor is told when the agent leaves, and the call does not wait for it', async () => {
    const aborted = Promise.withResolvers<unknown>();
    const deps = attestor(async (_, conversation) => {
      const { signal } = conversation;
      signal.addEventListener('abort', () => {
        aborted.resolve(signal.reason);
      });
      await conversation.challenge(Buffer.from('?'));
      assert.fail('was answered');
    });
    await assert.rejects(play([await params('fake')], { deps }), {
      kind: 'internal',
      message: 'failed to receive challenge from agent: EOF',
    });
    assert.ok(await aborted.promise);
  });

  test('a call that ends ends the attestation, whatever the attestor does', async () => {
    const left = new AbortController();
    const deps = attestor(async () => {
      left.abort(new Fault('canceled', 'context canceled'));
      return new Promise<never>(() => {});
    });
    const call = testCall({ signal: left.signal });
    await assert.rejects(play([await params('fake')], { deps, call }), { kind: 'canceled' });
  });

  const csr = Buffer.from('csr');
  const data = { type: 'fake', payload: Buffer.from('x') };
  const malformed: [why: string, requests: Request[], message: string][] = [
    ['nothing', [], 'failed to receive request from stream: EOF'],
    ['an empty message', [{}], 'malformed param: missing params'],
    ['an answer before any question', [response('x')], 'malformed param: missing params'],
    [
      'no data',
      [{ step: { case: 'params', value: {} } }],
      'malformed param: missing attestation data',
    ],
    [
      'no SVID parameters',
      [{ step: { case: 'params', value: { data } } }],
      'malformed param: missing X509-SVID parameters',
    ],
    [
      'no CSR',
      [{ step: { case: 'params', value: { data: {}, params: {} } } }],
      'malformed param: missing CSR',
    ],
    [
      'no type',
      [{ step: { case: 'params', value: { data: {}, params: { csr } } } }],
      'malformed param: missing attestation data type',
    ],
    [
      'no payload',
      [{ step: { case: 'params', value: { data: { type: 'fake' }, params: { csr } } } }],
      'malformed param: missing attestation data payload',
    ],
  ];
  for (const [why, requests, message] of malformed) {
    test(`refuses ${why}`, async () => {
      await assert.rejects(play(requests), { kind: 'invalid', message });
    });
  }

  test('refuses a stream that cannot be read', async () => {
    const cutOff = Promise.reject(new Fault('canceled', 'cut off'));
    const broken = { [Symbol.asyncIterator]: () => ({ next: () => cutOff }) };
    await assert.rejects(attestAgent(world.deps, broken, testCall()).next(), {
      kind: 'invalid',
      message: 'failed to receive request from stream: cut off',
    });
  });

  test('refuses a type that it has no attestor for', async () => {
    await assert.rejects(play([await params('aws_iid')]), {
      kind: 'failed-precondition',
      message: 'error getting node attestor: could not find node attestor type "aws_iid"',
    });
  });

  test('the rate limit comes before the first message is read', async () => {
    const exhausted = new Fault('exhausted', 'rate: Wait(n=1) would exceed context deadline');
    await assert.rejects(play([], { call: testCall({ exhausted }) }), {
      kind: 'exhausted',
      message:
        'rejecting request due to attest agent rate limiting: rate: Wait(n=1) would exceed context deadline',
    });
  });

  const lost = async (): Promise<never> => {
    throw new Fault('unknown', 'datastore-sql: gone');
  };
  test('failures of what it needs are told of', async () => {
    const { agents, issuer } = world.deps;
    const confirm = agents.confirm.bind(agents);
    const cases: [deps: Partial<AttestAgentDeps>, message: string][] = [
      [{ agents: { confirm: lost, attested: lost } }, 'failed to fetch agent: datastore-sql: gone'],
      [
        { agents: { confirm, attested: lost } },
        'failed to create attested agent: datastore-sql: gone',
      ],
      [
        { agents: { confirm: async () => world.agent('known'), attested: lost } },
        'failed to update attested agent: datastore-sql: gone',
      ],
      [
        { issuer: { ...issuer, agentX509Svid: lost } },
        'failed to sign X509 SVID: datastore-sql: gone',
      ],
    ];
    for (const [deps, message] of cases) {
      await assert.rejects(play([await params('fake')], { deps: { ...attests('f'), ...deps } }), {
        kind: 'internal',
        message,
      });
    }
  });

  test('an agent of another trust domain is not signed for', async () => {
    const agentId = SpiffeId.parse('spiffe://other.test/spire/agent/fake/a');
    await assert.rejects(play([await params('fake')], { deps: attests('x', { agentId }) }), {
      kind: 'internal',
      message:
        'failed to sign X509 SVID: invalid X509-SVID ID: "spiffe://other.test/spire/agent/fake/a" is not a member of trust domain "example.org"',
    });
  });
});
