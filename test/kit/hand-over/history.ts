import assert from 'node:assert/strict';
import type { Channel } from '../../../src/rpc/dial.ts';
import { Agent } from '../../../src/wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { Bundle } from '../../../src/wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import { Entry } from '../../../src/wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import { LocalAuthority } from '../../../src/wire/gen/spire/api/server/localauthority/v1/localauthority_pb.ts';
import { TrustDomain } from '../../../src/wire/gen/spire/api/server/trustdomain/v1/trustdomain_pb.ts';
import type { Identity } from '../server-callers.ts';
import { attest, nodeProof, renew, tokenProof } from './attest.ts';
import { fromBase64, type Inputs } from './inputs.ts';

export type HistoryWorld = {
  readonly inputs: Inputs;
  /** The administrator. */
  readonly local: Channel;
  /** A caller from the network; whoever asks disposes it. */
  readonly network: (identity?: Identity) => Channel;
};

export const TRUST_DOMAIN = 'rich.test';
/** Far in the future, for what must not expire. */
const LATE = 4_102_444_800n;
const MANY_SECONDS = 800_000_000;

const id = (path: string, trustDomain = TRUST_DOMAIN) => ({ trustDomain, path });
const node = (name: string) => id(`/spire/agent/join_token/${name}`);
const selector = (text: string) => {
  const at = text.indexOf(':');
  return { type: text.slice(0, at), value: text.slice(at + 1) };
};

/**
 * Does through the API whatever an administrator and agents can do, so that every table and column of the database is
 * used. The same calls always, in the same order: two servers must be left with the same rows.
 */
export async function playHistory(world: HistoryWorld): Promise<Identities> {
  await playBundles(world);
  await playRelationships(world);
  const identities = await playAgents(world);
  await playEntries(world);
  await playAuthorities(world);
  return identities;
}

/** What the agents were given. */
export type Identities = Readonly<Record<AgentName, Identity>>;
/** `pendingNext` and `renewed` are what `pending` and `former` were renewed to; the first was never shown. */
export type AgentName =
  | 'plain'
  | 'pending'
  | 'pendingNext'
  | 'former'
  | 'renewed'
  | 'banned'
  | 'evicted'
  | 'node';

type Results = readonly { readonly status?: { code: number; message: string } | undefined }[];
const allDone = (results: Results) => {
  for (const { status } of results) assert.equal(status?.code, 0, status?.message ?? '');
};

async function playBundles({ inputs, local }: HistoryWorld): Promise<void> {
  const bundles = local.client(Bundle);
  const x509 = (root: keyof Inputs['roots']) => [{ asn1: fromBase64(inputs.roots[root]) }];
  const jwt = (keyId: string, expiresAt = LATE) => [
    { publicKey: fromBase64(inputs.jwtKey), keyId, expiresAt },
  ];
  const created = await bundles.batchCreateFederatedBundle({
    bundle: [
      {
        trustDomain: 'one.test',
        x509Authorities: x509('one'),
        jwtAuthorities: jwt('one-key'),
        refreshHint: 300n,
        sequenceNumber: 7n,
      },
      { trustDomain: 'two.test', x509Authorities: x509('two') },
      { trustDomain: 'gone.test', x509Authorities: x509('two') },
      { trustDomain: 'keys.test', jwtAuthorities: jwt('never', 0n) },
    ],
  });
  allDone(created.results);
  const set = await bundles.batchSetFederatedBundle({
    bundle: [{ trustDomain: 'two.test', x509Authorities: [...x509('two'), ...x509('one')] }],
  });
  allDone(set.results);
  const updated = await bundles.batchUpdateFederatedBundle({
    bundle: [{ trustDomain: 'one.test', refreshHint: 60n }],
    inputMask: { refreshHint: true },
  });
  allDone(updated.results);
  const gone = await bundles.batchDeleteFederatedBundle({ trustDomains: ['gone.test'] });
  allDone(gone.results);
  await bundles.appendBundle({
    x509Authorities: x509('own'),
    jwtAuthorities: jwt('appended-key'),
  });
}

async function playRelationships({ inputs, local }: HistoryWorld): Promise<void> {
  const relationships = local.client(TrustDomain);
  const web = { case: 'httpsWeb' as const, value: {} };
  const spiffe = (endpointSpiffeId: string) => ({
    case: 'httpsSpiffe' as const,
    value: { endpointSpiffeId },
  });
  const bundle = {
    trustDomain: 'four.test',
    x509Authorities: [{ asn1: fromBase64(inputs.roots.four) }],
  };
  const url = (name: string) => `https://127.0.0.1:1/${name}`; // nobody listens there
  const created = await relationships.batchCreateFederationRelationship({
    federationRelationships: [
      {
        trustDomain: 'one.test',
        bundleEndpointUrl: url('one'),
        bundleEndpointProfile: spiffe('spiffe://one.test/spire/server'),
      },
      { trustDomain: 'two.test', bundleEndpointUrl: url('two'), bundleEndpointProfile: web },
      {
        trustDomain: 'four.test',
        bundleEndpointUrl: url('four'),
        bundleEndpointProfile: spiffe('spiffe://one.test/other'),
        trustDomainBundle: bundle,
      },
      { trustDomain: 'five.test', bundleEndpointUrl: url('five'), bundleEndpointProfile: web },
      { trustDomain: 'six.test', bundleEndpointUrl: url('six'), bundleEndpointProfile: web },
    ],
  });
  allDone(created.results);
  const updated = await relationships.batchUpdateFederationRelationship({
    federationRelationships: [
      {
        trustDomain: 'two.test',
        bundleEndpointUrl: url('moved?a=b'),
        bundleEndpointProfile: spiffe('spiffe://two.test/spire/server'),
      },
      {
        trustDomain: 'six.test',
        bundleEndpointUrl: url('not-this'),
        bundleEndpointProfile: spiffe('spiffe://six.test/s'),
      },
    ],
    inputMask: { bundleEndpointUrl: true, bundleEndpointProfile: true },
  });
  allDone(updated.results);
  const gone = await relationships.batchDeleteFederationRelationship({
    trustDomains: ['five.test'],
  });
  allDone(gone.results);
}

async function playAgents({ inputs, local, network }: HistoryWorld): Promise<Identities> {
  const agents = local.client(Agent);
  const token = (name: string, aliasPath?: string) =>
    agents.createJoinToken({
      token: name,
      ttl: MANY_SECONDS,
      ...(aliasPath !== undefined && { agentId: id(aliasPath) }),
    });
  const attestWith = async (name: string, aliasPath?: string) => {
    await token(name, aliasPath);
    using stranger = network();
    return await attest(stranger, tokenProof(name));
  };
  await token('unused');
  await token('unused-with-alias', '/unused');

  const plain = await attestWith('plain', '/group');
  {
    using agent = network(plain);
    await agent.client(Agent).postStatus({ agentVersion: '1.15.1' });
  }
  const pending = await attestWith('pending');
  const pendingNext = await renewed(network, pending);
  const former = await attestWith('renewed');
  const current = await renewed(network, former);
  {
    using agent = network(current);
    await agent.client(Agent).postStatus({ agentVersion: '1.16.0' });
  }
  const banned = await attestWith('banned', '/banned-alias');
  await agents.banAgent({ id: node('banned') });
  const evicted = await attestWith('evicted', '/evicted-alias');
  await agents.deleteAgent({ id: node('evicted') });

  const attestNode = async ({ certificate, privateKey }: Inputs['nodes'][number]) => {
    using stranger = network();
    return await attest(stranger, nodeProof(fromBase64(certificate), fromBase64(privateKey)));
  };
  const [first, second] = inputs.nodes;
  assert.ok(first && second);
  await attestNode(first);
  await attestNode(second);
  const again = await attestNode(first);
  return { plain, pending, pendingNext, former, renewed: current, banned, evicted, node: again };
}

async function renewed(network: HistoryWorld['network'], identity: Identity): Promise<Identity> {
  using agent = network(identity);
  return await renew(agent);
}

async function playEntries({ local }: HistoryWorld): Promise<void> {
  const entries = local.client(Entry);
  const entry = (name: string, selectors: readonly string[] = [`unix:user:${name}`]) => ({
    id: name,
    spiffeId: id(`/${name}`),
    parentId: id('/group'),
    selectors: selectors.map(selector),
  });
  const created = await entries.batchCreateEntry({
    entries: [
      entry('plain'),
      { ...entry('node', ['x509pop:subject:cn:node-0']), parentId: id('/spire/server') },
      { ...entry('admin'), admin: true },
      { ...entry('downstream'), parentId: node('plain'), downstream: true },
      { ...entry('stored', ['store:secret', 'store:region']), storeSvid: true, hint: 'kept' },
      { ...entry('federated-one'), federatesWith: ['one.test'] },
      { ...entry('federated-two'), federatesWith: ['two.test', 'spiffe://one.test'] },
      {
        ...entry('full', ['unix:uid:1', 'unix:gid:2', 'docker:label:a:b', 'unix:user:jürgen']),
        x509SvidTtl: 3600,
        jwtSvidTtl: 60,
        dnsNames: ['z.rich.test', 'a.rich.test', 'm.rich.test'],
        hint: 'internal',
        admin: true,
        downstream: true,
        expiresAt: LATE,
        federatesWith: ['one.test', 'two.test', 'keys.test'],
        additionalAttributes: { disableX509SvidPrefetch: true, jwtSvidIncludeJti: true },
      },
      { ...entry('empty-attributes'), additionalAttributes: {} },
      { ...entry('prefetch'), additionalAttributes: { disableX509SvidPrefetch: true } },
      { ...entry('jti'), additionalAttributes: { jwtSvidIncludeJti: true } },
      { ...entry('updated'), hint: 'before', dnsNames: ['before.rich.test'] },
      entry('deleted'),
    ],
  });
  allDone(created.results);
  const again = await entries.batchCreateEntry({ entries: [{ ...entry('plain'), id: 'similar' }] });
  assert.equal(again.results[0]?.status?.code, 6);
  for (const round of [1, 2]) {
    const updated = await entries.batchUpdateEntry({
      entries: [
        {
          ...entry('updated', ['unix:user:after', `unix:uid:${round}`]),
          hint: 'after',
          federatesWith: ['two.test'],
          x509SvidTtl: 99,
        },
      ],
      inputMask: { selectors: true, hint: true, federatesWith: true, dnsNames: true },
    });
    allDone(updated.results);
  }
  const gone = await entries.batchDeleteEntry({ ids: ['deleted'] });
  allDone(gone.results);
}

/** Leaves of either kind an active authority and one that is old and tainted; of X.509 a third that is prepared. */
async function playAuthorities({ local }: HistoryWorld): Promise<void> {
  const authorities = local.client(LocalAuthority);
  const x509Before = await authorities.getX509AuthorityState({});
  const x509 = await authorities.prepareX509Authority({});
  await authorities.activateX509Authority({
    authorityId: x509.preparedAuthority?.authorityId ?? '',
  });
  await authorities.taintX509Authority({ authorityId: x509Before.active?.authorityId ?? '' });
  await authorities.prepareX509Authority({});

  const jwtBefore = await authorities.getJWTAuthorityState({});
  const jwt = await authorities.prepareJWTAuthority({});
  await authorities.activateJWTAuthority({ authorityId: jwt.preparedAuthority?.authorityId ?? '' });
  await authorities.taintJWTAuthority({ authorityId: jwtBefore.active?.authorityId ?? '' });
}
