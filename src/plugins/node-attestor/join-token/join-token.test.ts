import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { VirtualClock } from '../../../../test/kit/clock.ts';
import { pluginSettings } from '../../../../test/kit/plugin-settings.ts';
import { loadPlugin } from '../../../catalog/load-plugin.ts';
import { silentLog } from '../../../ops/log.ts';
import { TrustDomain } from '../../../spiffe/trust-domain.ts';
import { agentNodeAttestors, serverNodeAttestors } from '../builtins.ts';
import { exchange, nodeAttestorSuite } from '../contract.suite.ts';
import { joinTokenAgentAttestor } from './agent.ts';
import { type JoinTokens, joinTokenAgentId, joinTokenAttestor } from './server.ts';

const trustDomain = TrustDomain.parse('example.org');
const clock = new VirtualClock();
const now = clock.now() / 1000;

function joinTokens(...tokens: readonly [token: string, expiresAt: number][]): JoinTokens {
  const kept = new Map(tokens);
  return {
    async spend(token) {
      const expiresAt = kept.get(token);
      kept.delete(token);
      return expiresAt === undefined ? undefined : { expiresAt };
    },
  };
}

const server = (tokens: JoinTokens) =>
  joinTokenAttestor({ joinTokens: tokens, clock, trustDomain });

nodeAttestorSuite(
  'join_token',
  async () => ({
    agent: joinTokenAgentAttestor('secret'),
    server: server(joinTokens(['secret', now + 1])),
  }),
  { challenges: 0, canReattest: false },
);

describe('a join token', () => {
  test('names the agent, without selectors', async () => {
    const { attestation } = await exchange({
      agent: joinTokenAgentAttestor('secret'),
      server: server(joinTokens(['secret', now + 1])),
    });
    assert.equal(
      attestation.agentId.toString(),
      'spiffe://example.org/spire/agent/join_token/secret',
    );
    assert.ok(attestation.agentId.equals(joinTokenAgentId(trustDomain, 'secret')));
    assert.deepEqual(attestation.selectorValues, []);
  });

  test('is good until its last moment', async () => {
    const agent = joinTokenAgentAttestor('a');
    await exchange({ agent, server: server(joinTokens(['a', now])) });
  });

  const gone = 'failed to attest: join token does not exist or has already been used';
  test('is spent once, also by one of several at once', async () => {
    const pair = {
      agent: joinTokenAgentAttestor('secret'),
      server: server(joinTokens(['secret', now + 1])),
    };
    const results = await Promise.allSettled([exchange(pair), exchange(pair), exchange(pair)]);
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1);
    await assert.rejects(exchange(pair), { kind: 'invalid', message: gone });
  });

  test('that expired is refused, and spent too', async () => {
    const pair = {
      agent: joinTokenAgentAttestor('secret'),
      server: server(joinTokens(['secret', now - 1])),
    };
    await assert.rejects(exchange(pair), { kind: 'invalid', message: 'join token expired' });
    await assert.rejects(exchange(pair), { kind: 'invalid', message: gone });
  });

  test('that cannot stand in a path is refused', async () => {
    const pair = {
      agent: joinTokenAgentAttestor('a b'),
      server: server(joinTokens(['a b', now + 1])),
    };
    await assert.rejects(exchange(pair), {
      kind: 'internal',
      message:
        'failed to create join token ID: path segment characters are limited to letters, numbers, dots, dashes, and underscores',
    });
  });

  test('is not judged where the store fails', async () => {
    const broken: JoinTokens = { spend: () => Promise.reject(new Error('disk full')) };
    await assert.rejects(exchange({ agent: joinTokenAgentAttestor('a'), server: server(broken) }), {
      kind: 'internal',
      message: 'failed to fetch join token: disk full',
    });
  });
});

describe("the agent's end", () => {
  for (const token of [undefined, '']) {
    test(`needs a token: ${JSON.stringify(token)}`, async () => {
      await assert.rejects(joinTokenAgentAttestor(token).begin(new AbortController().signal), {
        kind: 'invalid',
        message: 'nodeattestor(join_token): join token was not provided',
      });
    });
  }

  test('expects no challenge', async () => {
    const { payload, ...attestation } = await joinTokenAgentAttestor('secret').begin(
      new AbortController().signal,
    );
    assert.equal(Buffer.from(payload).toString(), 'secret');
    await assert.rejects(attestation.answer(Buffer.from('c')), {
      kind: 'internal',
      message: 'nodeattestor(join_token): server issued unexpected challenge',
    });
  });

  test('takes no data', async () => {
    const loaded = loadPlugin(
      {
        kind: 'NodeAttestor',
        builtIns: agentNodeAttestors,
        log: silentLog,
        env: () => ({ joinToken: undefined }),
      },
      { name: 'join_token', data: pluginSettings('a = 1') },
    );
    await assert.rejects(loaded, {
      message:
        'failed to configure plugin "join_token": no supported configuration interface found',
    });
  });
});

test("the server's end may be configured, and is the same", async () => {
  const attestor = await loadPlugin(
    {
      kind: 'NodeAttestor',
      builtIns: serverNodeAttestors,
      log: silentLog,
      env: (log) => ({
        clock,
        log,
        trustDomain,
        joinTokens: joinTokens(['secret', now]),
        x509Authorities: () => [],
      }),
    },
    { name: 'join_token' },
  );
  await exchange({ agent: joinTokenAgentAttestor('secret'), server: attestor });
});
