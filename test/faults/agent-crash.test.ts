import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type SeededRandom, withSeed } from '../kit/seeded-random.ts';
import { temporaryFolder } from '../kit/temp-dir.ts';
import { TrustDomainProcesses } from '../kit/trust-domain.ts';
import { AgentLife, type AgentLifeOptions } from './agent-life.ts';
import { X509popNodes } from './x509pop-nodes.ts';

const MANY = process.env['FAULTS'] === 'many';
const ROUNDS = MANY ? 6 : 1;
const ATTESTATIONS = MANY ? 30 : 5;
/** With ten seconds before it, it is renewed some five seconds after its issue; it outlasts the slowest restart. */
const AGENT_TTL_SECONDS = 20;
const OWN = `unix:uid:${process.getuid?.() ?? 0}`;

type Kind = Pick<AgentLifeOptions, 'attestor' | 'workload'>;
const byToken: Kind = { attestor: 'join_token', workload: '/by-token' };
const byCertificate: Kind = { attestor: 'x509pop', workload: '/by-certificate' };
const kinds = [byToken, byCertificate];

const moments = [
  'killAnytime',
  'killWhileSynchronizing',
  'killWhileRenewing',
  'killWhileSynchronizing',
  'killWhileRenewing',
] as const;

describe('an agent that is killed goes on with what it had', { concurrency: true }, () => {
  const opened = new AsyncDisposableStack();
  let domain: TrustDomainProcesses;
  let nodes: X509popNodes;

  before(async () => {
    const folder = opened.use(await temporaryFolder());
    nodes = await X509popNodes.create(folder.path);
    domain = opened.use(
      await TrustDomainProcesses.create({
        server: `
          agent_ttl = "${AGENT_TTL_SECONDS}s"
          ratelimit { attestation = false signing = false }`,
        serverAttestors: `NodeAttestor "join_token" { plugin_data {} } ${nodes.serverPlugin}`,
      }),
    );
    await domain.startServer();
    await domain.writeBundle();
    await domain.createEntry('/by-token', [OWN]);
    await createEntry('-node', '-spiffeID', domain.id('/certified'), '-selector', nodes.selector);
    const ids = ['-parentID', domain.id('/certified'), '-spiffeID', domain.id('/by-certificate')];
    await createEntry(...ids, '-selector', OWN);
  });
  after(() => opened.disposeAsync());

  test('at its first attestation', () =>
    withSeed(async (random) => {
      for (let round = 0; round < ATTESTATIONS; round++) {
        const options = random.pick(kinds) ?? assert.fail();
        await using life = await live(`new-${round}`, options, random);
        await life.killWhileAttesting();
        await life.start();
      }
    }));

  test('or says what to do, if its token was spent and the SVID was not stored', () =>
    withSeed(async (random) => {
      await using life = await live('too-late', byToken, random);
      await life.killWithItsTokenSpent();
      await life.start();
    }));

  for (const [name, options] of [
    ['first', byToken],
    ['second', byToken],
    ['third', byCertificate],
  ] as const) {
    test(`the ${name} one, by ${options.attestor}, at any moment later`, (t) =>
      withSeed(async (random) => {
        await using life = await live(name, options, random);
        await life.killWhileAttesting();
        for (const moment of Array.from({ length: ROUNDS }, () => moments).flat()) {
          await life[moment]();
          t.diagnostic(`${life.kills} kills (${moment})`);
        }
        await life.start();
        assert.ok(life.kills > ROUNDS * moments.length);
      }));
  }

  async function live(name: string, options: Kind, random: SeededRandom): Promise<AgentLife> {
    const isCertified = options.attestor === 'x509pop';
    const agent = await domain.addAgent(
      name,
      isCertified ? { agentAttestor: await nodes.add(name) } : {},
    );
    return new AgentLife({ domain, agent, random: random.fork(), ...options });
  }

  const createEntry = (...flags: readonly string[]) =>
    domain.runServer('entry', 'create', ...flags);
});
