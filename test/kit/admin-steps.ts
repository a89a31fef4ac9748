import assert from 'node:assert/strict';
import { decodeJwt } from 'jose';
import { buildCsr } from '../../src/crypto/csr.ts';
import { generateKey } from '../../src/crypto/keys.ts';
import type { Channel } from '../../src/rpc/dial.ts';
import { Agent } from '../../src/wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { Bundle } from '../../src/wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import { Entry } from '../../src/wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import { SVID } from '../../src/wire/gen/spire/api/server/svid/v1/svid_pb.ts';
import { TrustDomain } from '../../src/wire/gen/spire/api/server/trustdomain/v1/trustdomain_pb.ts';
import { rootAuthority } from './certificates.ts';
import { bundleJson } from './local-authority.ts';
import { verifies } from './nested.ts';
import { attestOver } from './server-callers.ts';
import type { TrustDomainProcesses } from './trust-domain.ts';

const OK = 0;

/**
 * What an admin does over the network, in the order of SPIRE's scenario admin-endpoints. Whatever it makes it removes
 * again, but for what it appends to the bundle.
 */
export class AdminSteps {
  readonly #domain: TrustDomainProcesses;
  readonly #channel: Channel;

  constructor(domain: TrustDomainProcesses, channel: Channel) {
    this.#domain = domain;
    this.#channel = channel;
  }

  async mint(): Promise<void> {
    const svids = this.#channel.client(SVID);
    const uri = this.#domain.id('/new_workload');
    const csr = await buildCsr({ uris: [uri], dnsNames: [] }, await generateKey('ec-p256'));
    const { svid } = await svids.mintX509SVID({ csr });
    assert.ok(svid);
    assert.equal(svid.id?.path, '/new_workload');
    assert.ok(isInFuture(svid.expiresAt));
    const { x509_authorities: roots } = await bundleJson(this.#domain);
    await verifies(
      { x509Svid: Buffer.concat(svid.certChain) },
      roots.map(({ asn1, tainted }) => ({ der: Buffer.from(asn1, 'base64'), tainted })),
    );

    const id = this.#id('/new_workload');
    const { svid: jwt } = await svids.mintJWTSVID({ id, audience: ['myAud'] });
    assert.ok(jwt);
    assert.deepEqual([jwt.id?.trustDomain, jwt.id?.path], [this.#domain.name, '/new_workload']);
    assert.ok(isInFuture(jwt.expiresAt));
    const claims = decodeJwt(jwt.token);
    assert.deepEqual(Object.keys(claims).toSorted(), ['aud', 'exp', 'iat', 'sub']);
    assert.deepEqual([claims.aud, claims.sub], [['myAud'], uri]);
  }

  async appendBundle(): Promise<void> {
    const { x509, key } = await authoritiesOf('authority1');
    const bundle = await this.#channel
      .client(Bundle)
      .appendBundle({ x509Authorities: [x509], jwtAuthorities: [key] });
    assert.equal(bundle.trustDomain, this.#domain.name);
    const { x509Authorities, jwtAuthorities } = essence(bundle);
    assert.ok(x509Authorities.includes(hex(x509.asn1)));
    assert.ok(jwtAuthorities.includes(`authority1 ${hex(key.publicKey)} ${key.expiresAt}`));
  }

  /** `third` is what the server knows beforehand. */
  async federatedBundles(third: string): Promise<void> {
    const bundles = this.#channel.client(Bundle);
    const first = await authoritiesOf('authority1');
    const second = await authoritiesOf('authority2');
    const of = (trustDomain: string) => ({
      trustDomain,
      x509Authorities: [first.x509],
      jwtAuthorities: [first.key],
    });
    const replaced = { trustDomain: 'foo', x509Authorities: [], jwtAuthorities: [second.key] };
    for (const [{ bundle }, expected] of [
      [
        only((await bundles.batchCreateFederatedBundle({ bundle: [of('foo')] })).results),
        of('foo'),
      ],
      [only((await bundles.batchUpdateFederatedBundle({ bundle: [replaced] })).results), replaced],
      [only((await bundles.batchSetFederatedBundle({ bundle: [of('bar')] })).results), of('bar')],
    ] as const) {
      assert.deepEqual(bundle && essence(bundle), essence(expected));
    }
    assert.equal((await bundles.countBundles({})).count, 4);
    const listed = await bundles.listFederatedBundles({});
    assert.deepEqual(listed.bundles.map(({ trustDomain }) => trustDomain).toSorted(), [
      'bar',
      third,
      'foo',
    ]);
    const bar = await bundles.getFederatedBundle({ trustDomain: 'bar' });
    assert.deepEqual(essence(bar), essence(of('bar')));
    const { results } = await bundles.batchDeleteFederatedBundle({ trustDomains: ['foo', 'bar'] });
    assert.deepEqual(
      results.map(({ status, trustDomain }) => [status?.code, trustDomain]),
      [
        [OK, 'foo'],
        [OK, 'bar'],
      ],
    );
  }

  async entries(): Promise<void> {
    const entries = this.#channel.client(Entry);
    const wanted = {
      parentId: this.#id('/foo'),
      spiffeId: this.#id('/bar'),
      selectors: [{ type: 'unix', value: 'uid:1001' }],
    };
    const created = await entries.batchCreateEntry({ entries: [wanted] });
    const entry = only(created.results).entry ?? assert.fail('no entry');
    assert.ok(entry.id !== '' && entry.createdAt > 0n);
    assert.deepEqual(
      [entry.parentId?.path, entry.spiffeId?.path, entry.selectors.map(text), entry.revisionNumber],
      ['/foo', '/bar', ['unix:uid:1001'], 0n],
    );

    assert.ok((await entries.countEntries({})).count >= 3);
    const known = ['/admin', '/workload', '/bar', '/agent-alias'];
    for (const { spiffeId } of (await entries.listEntries({})).entries) {
      assert.ok(known.includes(spiffeId?.path ?? ''), `${spiffeId?.path}`);
    }
    assert.deepEqual(await entries.getEntry({ id: entry.id }), entry);

    const more = {
      ...wanted,
      id: entry.id,
      selectors: [...wanted.selectors, { type: 'unix', value: 'uid:1002' }],
      dnsNames: ['dns1'],
    };
    const { entry: updated } = only((await entries.batchUpdateEntry({ entries: [more] })).results);
    assert.deepEqual(
      [updated?.id, updated?.selectors.map(text), updated?.dnsNames],
      [entry.id, ['unix:uid:1001', 'unix:uid:1002'], ['dns1']],
    );
    assert.deepEqual(
      [updated?.parentId?.path, updated?.spiffeId?.path, updated?.revisionNumber],
      ['/foo', '/bar', 1n],
    );
    const { results } = await entries.batchDeleteEntry({ ids: [entry.id] });
    assert.deepEqual(
      results.map(({ status, id }) => [status?.code, id]),
      [[OK, entry.id]],
    );
  }

  async agents(): Promise<void> {
    const agents = this.#channel.client(Agent);
    const token = await agents.createJoinToken({ ttl: 60, agentId: this.#id('/agent-alias') });
    assert.ok(token.value !== '' && isInFuture(token.expiresAt));
    const payload = Buffer.from(token.value);
    const attested = await attestOver(this.#channel, this.#domain, 'join_token', payload);
    assert.equal(attested.id, this.#domain.id(`/spire/agent/join_token/${token.value}`));

    assert.equal((await agents.countAgents({})).count, 2);
    const listed = await agents.listAgents({ filter: { byAttestationType: 'join_token' } });
    assert.deepEqual(
      listed.agents.map(({ id, banned }) => [id?.path, banned]),
      [[`/spire/agent/join_token/${token.value}`, false]],
    );
    const id = listed.agents[0]?.id ?? assert.fail('no ID');
    assert.equal((await agents.getAgent({ id })).banned, false);
    await agents.banAgent({ id });
    assert.equal((await agents.getAgent({ id })).banned, true);
    await agents.deleteAgent({ id });
    await assert.rejects(agents.getAgent({ id }), { kind: 'not-found' });
    // The entry that was its alias went with it.
    const { entries } = await this.#channel.client(Entry).listEntries({});
    assert.ok(entries.every(({ spiffeId }) => spiffeId?.path !== '/agent-alias'));
  }

  async relationships(): Promise<void> {
    const api = this.#channel.client(TrustDomain);
    const of = (bundleEndpointUrl: string) => ({
      trustDomain: 'federated.test',
      bundleEndpointUrl,
      bundleEndpointProfile: { case: 'httpsWeb' as const, value: {} },
    });
    const first = of('https://federated.test/endpoint');
    const second = of('https://federated.test/endpointupdated');
    const facts = (relationship: {
      readonly trustDomain: string;
      readonly bundleEndpointUrl: string;
      readonly bundleEndpointProfile: { readonly case: string | undefined };
    }) => [
      relationship.trustDomain,
      relationship.bundleEndpointUrl,
      relationship.bundleEndpointProfile.case,
    ];
    const created = await api.batchCreateFederationRelationship({
      federationRelationships: [first],
    });
    const updated = await api.batchUpdateFederationRelationship({
      federationRelationships: [second],
    });
    for (const [{ federationRelationship: stored }, expected] of [
      [only(created.results), first],
      [only(updated.results), second],
    ] as const) {
      assert.deepEqual(stored && facts(stored), facts(expected));
    }
    const trustDomain = 'federated.test';
    assert.deepEqual(facts(await api.getFederationRelationship({ trustDomain })), facts(second));
    // The one in the configuration file is not among them.
    const listed = await api.listFederationRelationships({});
    assert.deepEqual(listed.federationRelationships.map(facts), [facts(second)]);
    const { results } = await api.batchDeleteFederationRelationship({
      trustDomains: [trustDomain],
    });
    assert.deepEqual(
      results.map((result) => [result.status?.code, result.trustDomain]),
      [[OK, trustDomain]],
    );
  }

  #id(path: string) {
    return { trustDomain: this.#domain.name, path };
  }
}

/** An authority of somebody else that has expired, and a JWT key. */
async function authoritiesOf(keyId: string) {
  const now = Math.floor(Date.now() / 1000);
  const { certificate } = await rootAuthority('of another trust domain', {
    notBefore: now - 7200,
    notAfter: now - 3600,
  });
  const { publicKey } = await generateKey('ec-p256');
  return {
    x509: { asn1: certificate.der },
    key: { keyId, publicKey: publicKey.spki, expiresAt: BigInt(now + 60) },
  };
}

/** What a bundle says, to be compared. */
function essence(bundle: {
  readonly trustDomain: string;
  readonly x509Authorities: readonly { readonly asn1: Uint8Array }[];
  readonly jwtAuthorities: readonly {
    readonly keyId: string;
    readonly publicKey: Uint8Array;
    readonly expiresAt: bigint;
  }[];
}) {
  return {
    trustDomain: bundle.trustDomain,
    x509Authorities: bundle.x509Authorities.map(({ asn1 }) => hex(asn1)),
    jwtAuthorities: bundle.jwtAuthorities.map(
      ({ keyId, publicKey, expiresAt }) => `${keyId} ${hex(publicKey)} ${expiresAt}`,
    ),
  };
}

type Result = { readonly status?: { readonly code: number; readonly message: string } | undefined };

/** The one result, of what succeeded. */
function only<T extends Result>(results: readonly T[]): T {
  const [result, ...others] = results;
  assert.equal(result?.status?.code, OK, `${result?.status?.message}`);
  assert.deepEqual(others, []);
  return result;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const text = ({ type, value }: { readonly type: string; readonly value: string }): string =>
  `${type}:${value}`;
const isInFuture = (seconds: bigint): boolean => Number(seconds) > Date.now() / 1000;
