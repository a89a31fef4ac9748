import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { create, type DescMessage, type MessageShape } from '@bufbuild/protobuf';
import { testCall } from '../../../../test/kit/api-call.ts';
import { ApiWorld } from '../../../../test/kit/api-world.ts';
import { Fault } from '../../../base/fault.ts';
import type { BoundService } from '../../../rpc/service.ts';
import type { AuthorityManager } from '../../ca/start-authorities.ts';
import type { Call } from '../call.ts';
import { type LocalAuthorityDeps, localAuthorityService } from './service.ts';

type State = { authorityId: string; expiresAt: bigint; upstreamAuthoritySubjectKeyId: string };
type Answered = Record<string, State | undefined>;

/** The service as a caller sees it, over real authorities. */
async function open(t: TestContext, changed: Partial<LocalAuthorityDeps> = {}) {
  const world = new ApiWorld();
  await world.open();
  t.after(() => world.close());
  const service: BoundService<Call> = localAuthorityService({ ...world.deps, ...changed });
  const call = async (
    method: string,
    fields: { authorityId?: string; subjectKeyId?: string } = {},
  ) => {
    const bound = service.methods.find(({ desc }) => desc.name === method);
    assert.ok(bound, method);
    const context = testCall();
    const message = await bound.handle(create<DescMessage>(bound.desc.input, fields), context);
    const answer = create(
      bound.desc.output,
      message as Record<string, unknown>,
    ) as MessageShape<DescMessage> & Answered;
    return { answer, context };
  };
  const ask = async (method: string, authorityId?: string): Promise<Answered> =>
    (await call(method, authorityId === undefined ? {} : { authorityId })).answer;
  const states = async (kind: Kind) => {
    const { active, prepared, old } = await ask(`Get${kind}AuthorityState`);
    return [active, prepared, old].map((state) => state?.authorityId);
  };
  return { world, call, ask, states };
}

type Kind = 'X509' | 'JWT';
type Opened = Awaited<ReturnType<typeof open>>;

const idOf = (answer: Answered, member: string): string => {
  const state = answer[member];
  assert.ok(state);
  return state.authorityId;
};

/** One authority that signs and one that did. */
async function rotated({ ask }: Opened, kind: Kind): Promise<{ active: string; old: string }> {
  const old = idOf(await ask(`Get${kind}AuthorityState`), 'active');
  const active = idOf(await ask(`Prepare${kind}Authority`), 'preparedAuthority');
  await ask(`Activate${kind}Authority`, active);
  return { active, old };
}

const tainted = ({ world }: Opened, kind: Kind): boolean[] =>
  (kind === 'X509' ? world.ownBundle.x509Authorities : world.ownBundle.jwtAuthorities).map(
    (authority) => authority.tainted,
  );

for (const kind of ['X509', 'JWT'] as const) {
  const words = kind === 'X509' ? 'X.509' : 'JWT';

  test(`${words}: one is prepared, activated, and the old one tainted and revoked`, async (t) => {
    const opened = await open(t);
    const { ask, call, states, world } = opened;
    const [first] = await states(kind);
    assert.deepEqual(await states(kind), [first, undefined, undefined]);

    const preparation = await call(`Prepare${kind}Authority`);
    const prepared = preparation.answer['preparedAuthority'];
    assert.ok(prepared);
    assert.equal(Number(prepared.expiresAt), world.clock.now() / 1000 + 24 * 60 * 60);
    assert.equal(prepared.upstreamAuthoritySubjectKeyId, '');
    assert.deepEqual(preparation.context.audited, {});
    assert.deepEqual(await states(kind), [first, prepared.authorityId, undefined]);
    assert.deepEqual(tainted(opened, kind), [false, false]);

    const activation = await call(`Activate${kind}Authority`, {
      authorityId: prepared.authorityId,
    });
    assert.deepEqual(activation.answer['activatedAuthority'], prepared);
    assert.deepEqual(activation.context.audited, { local_authority_id: prepared.authorityId });
    assert.deepEqual(await states(kind), [prepared.authorityId, undefined, first]);

    const taint = await call(`Taint${kind}Authority`, { authorityId: first ?? '' });
    const shown = (await ask(`Get${kind}AuthorityState`))['old'];
    assert.deepEqual(
      taint.answer['taintedAuthority'],
      kind === 'X509' ? shown : { ...shown, expiresAt: 0n },
    );
    assert.deepEqual(taint.context.audited, { local_authority_id: first });
    assert.deepEqual(taint.context.lines, [
      { message: `${words} authority tainted successfully`, fields: { local_authority_id: first } },
    ]);
    assert.deepEqual(tainted(opened, kind), [true, false]);
    const { sequenceNumber } = world.ownBundle;

    const revocation = await call(`Revoke${kind}Authority`, { authorityId: first ?? '' });
    assert.deepEqual(revocation.answer['revokedAuthority'], { ...shown, expiresAt: 0n });
    assert.deepEqual(revocation.context.lines, [
      { message: `${words} authority revoked successfully`, fields: { local_authority_id: first } },
    ]);
    assert.deepEqual(tainted(opened, kind), [false]);
    assert.equal(world.ownBundle.sequenceNumber, sequenceNumber + 1n);
    assert.deepEqual(
      await world.datastore.bundles.get(world.trustDomain).then((row) => row?.value),
      world.ownBundle,
    );
    assert.deepEqual(await states(kind), [prepared.authorityId, undefined, first]);
  });

  test(`${words}: a second one that is prepared replaces the first`, async (t) => {
    const opened = await open(t);
    const { ask, states } = opened;
    const [first] = await states(kind);
    const replaced = idOf(await ask(`Prepare${kind}Authority`), 'preparedAuthority');
    const prepared = idOf(await ask(`Prepare${kind}Authority`), 'preparedAuthority');
    assert.deepEqual(await states(kind), [first, prepared, undefined]);
    await assert.rejects(ask(`Activate${kind}Authority`, replaced), {
      kind: 'invalid',
      message: 'unexpected authority ID',
    });
    assert.deepEqual(tainted(opened, kind), [false, false, false]);
  });

  /** As SPIRE answers; IDs: those of a server whose authority was rotated once. */
  const refusals: [
    rpc: 'Activate' | 'Taint' | 'Revoke',
    id: 'active' | 'old' | 'nosuch' | '',
    faultKind: string,
    message: string,
  ][] = [
    ['Activate', '', 'invalid', 'no authority ID provided'],
    ['Activate', 'nosuch', 'invalid', 'unexpected authority ID'],
    ['Activate', 'active', 'invalid', 'unexpected authority ID'],
    [
      'Activate',
      'old',
      'internal',
      'only Prepared authorities can be activated: unsupported local authority status: OLD',
    ],
    ['Taint', '', 'invalid', 'no authority ID provided'],
    ['Taint', 'nosuch', 'invalid', 'unexpected authority ID'],
    ['Taint', 'active', 'invalid', 'unable to taint current local authority'],
    ['Revoke', '', 'invalid', 'invalid authority ID: no authority ID provided'],
    ['Revoke', 'active', 'invalid', 'invalid authority ID: unable to use current authority'],
    [
      'Revoke',
      'nosuch',
      'invalid',
      kind === 'X509'
        ? 'invalid authority ID: only Old local authority can be revoked'
        : 'invalid authority ID: no JWT authority found with provided authority ID',
    ],
    [
      'Revoke',
      'old',
      'internal',
      kind === 'X509'
        ? 'failed to revoke X.509 authority: it is not possible to revoke an untainted root CA'
        : 'failed to revoke JWT authority: it is not possible to revoke an untainted key',
    ],
  ];
  for (const [rpc, which, faultKind, message] of refusals) {
    test(`${words}: ${rpc} of ${which || 'no ID'} is refused, and changes nothing`, async (t) => {
      const opened = await open(t);
      const ids = await rotated(opened, kind);
      const before = opened.world.ownBundle;
      const id = which === 'active' || which === 'old' ? ids[which] : which;
      await assert.rejects(opened.ask(`${rpc}${kind}Authority`, id), { kind: faultKind, message });
      assert.deepEqual(await opened.states(kind), [ids.active, undefined, ids.old]);
      assert.equal(opened.world.ownBundle, before);
    });
  }

  test(`${words}: what is prepared can be neither tainted nor revoked`, async (t) => {
    const opened = await open(t);
    const prepared = idOf(await opened.ask(`Prepare${kind}Authority`), 'preparedAuthority');
    await assert.rejects(opened.ask(`Taint${kind}Authority`, prepared), {
      kind: 'invalid',
      message:
        'only Old local authorities can be tainted: unsupported local authority status: PREPARED',
    });
    await assert.rejects(opened.ask(`Revoke${kind}Authority`, prepared), {
      kind: 'invalid',
      message: `invalid authority ID: ${
        kind === 'X509' ? 'only Old local authority can be revoked' : 'unable to use a prepared key'
      }`,
    });
  });

  test(`${words}: nothing is tainted twice`, async (t) => {
    const opened = await open(t);
    const { old } = await rotated(opened, kind);
    await opened.ask(`Taint${kind}Authority`, old);
    await assert.rejects(opened.ask(`Taint${kind}Authority`, old), {
      kind: 'internal',
      message: `failed to taint ${words} authority: ${
        kind === 'X509' ? 'root CA is already tainted' : 'key is already tainted'
      }`,
    });
    await opened.ask(`Revoke${kind}Authority`, old);
    await assert.rejects(opened.ask(`Taint${kind}Authority`, old), {
      kind: 'internal',
      message: `failed to taint ${words} authority: ${
        kind === 'X509'
          ? 'no ca found with provided subject key ID'
          : 'no JWT Key found with provided key ID'
      }`,
    });
  });

  test(`${words}: nothing is revoked twice`, async (t) => {
    const opened = await open(t);
    const { old } = await rotated(opened, kind);
    await opened.ask(`Taint${kind}Authority`, old);
    await opened.ask(`Revoke${kind}Authority`, old);
    await assert.rejects(opened.ask(`Revoke${kind}Authority`, old), {
      kind: 'internal',
      message: `failed to revoke ${words} authority: ${
        kind === 'X509'
          ? 'no root CA found with provided subject key ID'
          : 'no JWT Key found with provided key ID'
      }`,
    });
  });

  test(`${words}: what could not be prepared leaves the old authority where it was`, async (t) => {
    const opened = await open(t);
    const { active, old } = await rotated(opened, kind);
    const { caJournals } = opened.world.datastore;
    const save = t.mock.method(caJournals, 'save', async () => {
      throw new Fault('unknown', 'datastore-sql: database is locked');
    });
    // Activating is noted in the journal; that failure is only logged, and prevents the next key.
    const prepared = idOf(await opened.ask(`Prepare${kind}Authority`), 'preparedAuthority');
    await assert.rejects(opened.ask(`Prepare${kind}Authority`), {
      kind: 'internal',
      message: `failed to prepare ${words} authority: unable to save the CA journal: datastore-sql: database is locked`,
    });
    assert.deepEqual(await opened.states(kind), [active, prepared, undefined]);
    save.mock.restore();
    assert.notEqual(prepared, old);
  });

  test(`${words}: calls that come together are answered one after the other`, async (t) => {
    const opened = await open(t);
    const prepared = await Promise.all(
      Array.from({ length: 3 }, () => opened.ask(`Prepare${kind}Authority`)),
    );
    const last = prepared.at(-1)?.['preparedAuthority']?.authorityId ?? '';
    const outcomes = await Promise.allSettled(
      [last, last].map((id) => opened.ask(`Activate${kind}Authority`, id)),
    );
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['fulfilled', 'rejected'],
    );
  });

  test(`${words}: nothing is told before an authority is active`, async (t) => {
    const { world } = await open(t);
    const empty = { id: 'A', held: undefined } as const;
    const starting = { current: empty, next: empty, inTurn: (work: () => unknown) => work() };
    const manager = {
      ...world.deps.manager,
      [kind === 'X509' ? 'x509' : 'jwt']: starting,
    } as unknown as AuthorityManager;
    const { ask } = await open(t, { manager });
    for (const rpc of [`Get${kind}AuthorityState`, `Prepare${kind}Authority`]) {
      await assert.rejects(ask(rpc), { kind: 'unavailable', message: 'server is initializing' });
    }
  });
}

test('a JWT key of another server may be revoked once it is tainted there', async (t) => {
  const { world, ask } = await open(t);
  const key = {
    publicKey: (await world.key()).publicKey.spki,
    keyId: 'foreign',
    expiresAt: world.clock.now() / 1000 + 3600,
    tainted: false,
  };
  await world.deps.publishJwtAuthority(key);
  await assert.rejects(ask('TaintJWTAuthority', 'foreign'), { message: 'unexpected authority ID' });
  await world.deps.keeper.taintJwt('foreign');
  await ask('RevokeJWTAuthority', 'foreign');
  assert.equal(world.ownBundle.jwtAuthorities.length, 1);
});

test('JWT RPCs are refused where JWT-SVIDs are switched off', async (t) => {
  const { world } = await open(t);
  const { ask } = await open(t, { manager: { ...world.deps.manager, jwt: undefined } });
  for (const rpc of ['Get$State', 'Prepare$', 'Activate$', 'Taint$', 'Revoke$']) {
    const method = rpc.includes('State')
      ? 'GetJWTAuthorityState'
      : rpc.replace('$', 'JWTAuthority');
    await assert.rejects(ask(method, ''), {
      kind: 'unimplemented',
      message: 'JWT functionality is disabled',
    });
  }
});

test('WIT RPCs are refused as SPIRE refuses them', async (t) => {
  const { ask } = await open(t);
  for (const rpc of ['Prepare', 'Activate', 'Taint', 'Revoke']) {
    await assert.rejects(ask(`${rpc}WITAuthority`), {
      kind: 'unimplemented',
      message: 'WIT-SVID functionality is not yet implemented',
    });
  }
  await assert.rejects(ask('GetWITAuthorityState'), { kind: 'unimplemented' });
});

/** Authorities whose CAs an upstream authority signed, and a bundle with its roots. */
async function openBelowUpstream(t: TestContext, status: 'old' | 'prepared' = 'old') {
  const world = new ApiWorld();
  await world.open();
  t.after(() => world.close());
  const { x509 } = world.deps.manager;
  await x509.inTurn((steps) => steps.prepareNext());
  const { active, next } = {
    active: x509.active ?? assert.fail(),
    next: x509.next.held ?? assert.fail(),
  };
  // Roots stand in for the upstream's: each is called what signed one of the two.
  const signedBy = (id: string) => ({ ...active, upstreamAuthorityId: id });
  const slots = {
    current: {
      id: 'A',
      held: { authority: signedBy(next.authority.authorityId), status: 'active' },
    },
    next: { id: 'B', held: { authority: signedBy(active.authorityId), status } },
    inTurn: (work: () => unknown) => work(),
  };
  const manager = {
    ...world.deps.manager,
    x509: slots,
    hasUpstream: true,
  } as unknown as AuthorityManager;
  const opened = await open(t, { manager, keeper: world.deps.keeper });
  return { ...opened, world, current: next.authority.authorityId, old: active.authorityId };
}

test('the root that signed the old CA is tainted and revoked, whatever the case of its name', async (t) => {
  const opened = await openBelowUpstream(t);
  const subjectKeyId = opened.old.toUpperCase();
  const taint = await opened.call('TaintX509UpstreamAuthority', { subjectKeyId });
  assert.equal(taint.answer['upstreamAuthoritySubjectKeyId'], opened.old);
  assert.deepEqual(taint.context.audited, { subject_key_id: subjectKeyId });
  assert.deepEqual(taint.context.lines, [
    {
      message: 'X.509 upstream authority tainted successfully',
      fields: { subject_key_id: opened.old },
    },
  ]);
  assert.deepEqual(tainted(opened, 'X509'), [true, false]);
  await assert.rejects(opened.call('TaintX509UpstreamAuthority', { subjectKeyId }), {
    kind: 'internal',
    message: 'failed to taint upstream authority: root CA is already tainted',
  });
  const revocation = await opened.call('RevokeX509UpstreamAuthority', { subjectKeyId });
  assert.equal(revocation.answer['upstreamAuthoritySubjectKeyId'], opened.old);
  assert.deepEqual(
    revocation.context.lines.map(({ message }) => message),
    ['X.509 upstream authority successfully revoked'],
  );
  assert.deepEqual(tainted(opened, 'X509'), [false]);
});

const prefixes = {
  TaintX509UpstreamAuthority: 'provided subject key id is not valid',
  RevokeX509UpstreamAuthority: 'invalid subject key ID',
};
for (const [rpc, prefix] of Object.entries(prefixes)) {
  const refusals: [
    status: 'old' | 'prepared',
    which: 'current' | 'old' | 'none' | '',
    text: string,
  ][] = [
    ['old', '', 'no subject key ID provided'],
    ['old', 'current', 'unable to use upstream authority singing current authority'],
    ['old', 'none', "upstream authority didn't sign the old local authority"],
    ['prepared', 'old', 'only upstream authorities signing an old authority can be used'],
  ];
  for (const [status, which, text] of refusals) {
    test(`${rpc} of ${which || 'nothing'}, the next being ${status}, is refused`, async (t) => {
      const opened = await openBelowUpstream(t, status);
      const subjectKeyId = which === 'current' || which === 'old' ? opened[which] : which;
      await assert.rejects(opened.call(rpc, { subjectKeyId }), {
        kind: 'invalid',
        message: `${prefix}: ${text}`,
      });
      assert.deepEqual(tainted(opened, 'X509'), [false, false]);
    });
  }

  test(`${rpc} is refused without an upstream authority`, async (t) => {
    const { call } = await open(t);
    await assert.rejects(call(rpc, { subjectKeyId: '' }), {
      kind: 'failed-precondition',
      message: 'upstream authority is not configured',
    });
  });
}

test('what an upstream authority signed is not tainted or revoked here', async (t) => {
  const { ask } = await openBelowUpstream(t);
  await assert.rejects(ask('TaintX509Authority', ''), {
    kind: 'failed-precondition',
    message: "local authority can't be tainted if there is an upstream authority",
  });
  await assert.rejects(ask('RevokeX509Authority', ''), {
    kind: 'failed-precondition',
    message: "local authority can't be revoked if there is an upstream authority",
  });
});
