import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, type MessageInitShape, toJson } from '@bufbuild/protobuf';
import { apiSuite } from '../../../../test/kit/api-world.ts';
import { emptyBundle } from '../../../spiffe/bundle.ts';
import { GetInfoResponseSchema } from '../../../wire/gen/spire/api/server/debug/v1/debug_pb.ts';
import { createGetInfo, type GetInfoDeps } from './get-info.ts';

const HOUR_MILLISECONDS = 3_600_000;

apiSuite('what a server tells of itself', (world) => {
  const ownChain = async () => {
    const { publicKey } = await world.key();
    return (await world.deps.issuer.serverX509Svid(publicKey)).chain;
  };
  const deps = async (changed: Partial<GetInfoDeps> = {}): Promise<GetInfoDeps> => {
    const chain = await ownChain();
    const startedAt = world.clock.now() - HOUR_MILLISECONDS - 3_900;
    return { ...world.deps, ownChain: () => chain, startedAt, ...changed };
  };

  test('its SVID up to the root, its uptime and what it holds, the own bundle included', async () => {
    await world.agent('one');
    await world.entry({ spiffeId: world.id('/web') });
    await world.bundle('federated.test');
    const info = await createGetInfo(await deps())();
    assert.equal(info.uptime, 3603);
    assert.equal(info.agentsCount, world.deps.agents.rows().length);
    assert.equal(info.entriesCount, world.deps.entries.rows().length);
    assert.equal(info.federatedBundlesCount, world.deps.bundles.rows().length);
    const json = jsonOf(info) as { svid_chain: { subject: string }[] };
    assert.match(json.svid_chain[1]?.subject ?? '', /^SERIALNUMBER=\d+,O=SPIFFE,C=US$/);
    assert.deepEqual(
      json.svid_chain.map(({ subject, ...rest }) => ({
        ...rest,
        subject: subject.replace(/\d+/, '<serial>'),
      })),
      [
        {
          expires_at: String(world.clock.now() / 1000 + 3600),
          id: { trust_domain: 'example.org', path: '/spire/server' },
          subject: 'O=SPIRE,C=US',
        },
        {
          expires_at: String(world.clock.now() / 1000 + 24 * 3600),
          id: { trust_domain: 'example.org', path: '' },
          subject: 'SERIALNUMBER=<serial>,O=SPIFFE,C=US',
        },
      ],
    );
  });

  test('the same for five seconds, then anew', async () => {
    const getInfo = createGetInfo(await deps());
    const first = await getInfo();
    await world.agent('newcomer');
    await world.clock.advance({ milliseconds: 4_999 });
    assert.equal(await getInfo(), first);
    await world.clock.advance({ milliseconds: 1 });
    const second = await getInfo();
    assert.equal(second.agentsCount, (first.agentsCount ?? 0) + 1);
    assert.equal(second.uptime, (first.uptime ?? 0) + 5);
  });

  test('a bundle that does not verify it, which is not remembered', async () => {
    const bundles = {
      rows: () => world.deps.bundles.rows(),
      get: () => ({ ...world.ownBundle, x509Authorities: authorities }),
    };
    let authorities = emptyBundle(world.trustDomain).x509Authorities;
    const getInfo = createGetInfo(await deps({ bundles }));
    await assert.rejects(getInfo(), {
      kind: 'internal',
      message:
        'failed verification against bundle: x509svid: could not verify leaf certificate: x509: certificate signed by unknown authority',
    });
    authorities = world.ownBundle.x509Authorities;
    assert.equal((await getInfo()).svidChain?.length, 2);
  });

  test('no bundle at all', async () => {
    const bundles = { rows: () => [], get: () => undefined };
    await assert.rejects(createGetInfo(await deps({ bundles }))(), {
      kind: 'not-found',
      message: 'trust domain bundle not found',
    });
  });
});

const jsonOf = (info: MessageInitShape<typeof GetInfoResponseSchema>) =>
  toJson(GetInfoResponseSchema, create(GetInfoResponseSchema, info as object), {
    useProtoFieldName: true,
    alwaysEmitImplicit: true,
  });
