import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { type LogLine, recordingLog } from '../../../test/kit/recording-log.ts';
import { TestCa } from '../../../test/kit/test-ca.ts';
import { buildCsr } from '../../crypto/csr.ts';
import { generateKey, type PrivateKey } from '../../crypto/keys.ts';
import type { Bundle } from '../../spiffe/bundle.ts';
import { parseSelector } from '../../spiffe/selector.ts';
import { SpiffeId } from '../../spiffe/spiffe-id.ts';
import { TrustDomain } from '../../spiffe/trust-domain.ts';
import type { AuthorizedEntry } from '../authorized-entry.ts';
import { decodeKept, encodeKept, type Kept, type KeptSvid } from './kept-format.ts';
import { verifyKept } from './verify-kept.ts';

const trustDomain = TrustDomain.parse('kept.test');
const NOW = 1_800_000_000;
const lifetime = { notBefore: NOW - 100, notAfter: NOW + 100 };

const entry = (more: Partial<AuthorizedEntry> = {}): AuthorizedEntry => ({
  id: 'web',
  spiffeId: SpiffeId.of(trustDomain, '/web'),
  selectors: [parseSelector('unix:uid:1')],
  federatesWith: [TrustDomain.parse('partner.test')],
  admin: true,
  downstream: false,
  revisionNumber: 3,
  storeSvid: false,
  hint: 'hint',
  createdAt: 7,
  disableX509SvidPrefetch: true,
  ...more,
});

let ca: TestCa;
let stranger: TestCa;
let key: PrivateKey;
let own: Bundle;

before(async () => {
  const years = { notBefore: NOW - 1e8, notAfter: NOW + 1e8 };
  ca = await TestCa.create(trustDomain, years);
  stranger = await TestCa.create(trustDomain, years);
  key = await generateKey('ec-p256');
  own = ca.bundle();
});

async function kept(path = '/web', signedBy = ca): Promise<Kept> {
  const csr = await buildCsr({ uris: [], dnsNames: [] }, key);
  const chain = await signedBy.workloadSvid(SpiffeId.of(trustDomain, path), csr, lifetime);
  const svid: KeptSvid = {
    entryId: 'web',
    revisionNumber: 3,
    createdAt: 7,
    chain,
    privateKey: key.toPkcs8(),
  };
  return { entries: [entry()], bundles: [own], svids: [svid] };
}

/** How many SVIDs may be served, and why others may not. */
async function verify(
  what: Kept,
  { now = NOW, authorities = own.x509Authorities.map(({ der }) => der) } = {},
) {
  const lines: LogLine[] = [];
  const { entries, svids, bundles } = await verifyKept(what, {
    trustDomain,
    authorities,
    atUnixSeconds: now,
    log: recordingLog(lines),
  });
  assert.equal(entries.length, svids.size);
  return {
    count: svids.size,
    bundles,
    why: lines.map(({ fields }) => JSON.stringify(fields['error'])).join(),
  };
}

test('what is good is served', async () => {
  assert.deepEqual(await verify(await kept()), { count: 1, bundles: [own], why: '' });
});

test('an authority that the agent knows to be revoked since does not come back', async () => {
  const [strange] = stranger.bundle().x509Authorities;
  assert.ok(strange);
  const { count, why, bundles } = await verify(await kept(), { authorities: [strange.der] });
  assert.equal(count, 0);
  assert.match(why, /unknown authority/);
  assert.deepEqual(bundles[0]?.x509Authorities, [strange]);
});

test('what was kept comes back as it was', async () => {
  const { svids, ...rest } = await kept();
  const [svid] = svids;
  assert.ok(svid);
  const identity = { entry: entry(), svid: { ...svid, ...lifetime } };
  const back = decodeKept(await encodeKept([identity], [own]));
  assert.deepEqual(back.entries, rest.entries);
  assert.deepEqual(back.bundles, [own]);
  assert.equal(back.svids.length, 1);
  assert.equal((await verify(back)).count, 1);
});

const refusals: readonly [
  why: string,
  change: (good: Kept) => Kept | Promise<Kept>,
  text: RegExp,
][] = [
  ['of another SPIFFE ID', () => kept('/db'), /it names \S+kept\.test\/db/],
  ['of authorities that are not trusted', () => kept('/web', stranger), /unknown authority/],
  [
    'of a tainted authority',
    (good) => ({
      ...good,
      bundles: [
        { ...own, x509Authorities: own.x509Authorities.map(({ der }) => ({ der, tainted: true })) },
      ],
    }),
    /unknown authority/,
  ],
  ['without its entry', (good) => ({ ...good, entries: [] }), /there is no such entry/],
  [
    'of an earlier revision',
    (good) => ({ ...good, entries: [entry({ revisionNumber: 4 })] }),
    /another revision/,
  ],
  [
    'of an entry that was made anew',
    (good) => ({ ...good, entries: [entry({ createdAt: 8 })] }),
    /another revision/,
  ],
  [
    'that goes to a store',
    (good) => ({ ...good, entries: [entry({ storeSvid: true })] }),
    /not for workloads/,
  ],
  [
    'with the key of another',
    async (good) => {
      const privateKey = (await generateKey('ec-p256')).toPkcs8();
      return { ...good, svids: good.svids.map((svid) => ({ ...svid, privateKey })) };
    },
    /the key is not that of the certificate/,
  ],
  [
    'that is no certificate',
    (good) => ({
      ...good,
      svids: good.svids.map((svid) => ({ ...svid, chain: Uint8Array.of(1, 2) })),
    }),
    /x509: /,
  ],
  [
    'that is empty',
    (good) => ({
      ...good,
      svids: good.svids.map((svid) => ({ ...svid, chain: new Uint8Array() })),
    }),
    /empty SVID cert chain/,
  ],
];
for (const [why, change, text] of refusals) {
  test(`an SVID ${why} is not served`, async () => {
    const { count, why: told } = await verify(await change(await kept()));
    assert.equal(count, 0);
    assert.match(told, text);
  });
}

for (const [why, now] of [
  ['has expired', NOW + 101],
  ['is not valid yet', NOW - 101],
] as const) {
  test(`one that ${why} is not served`, async () => {
    assert.equal((await verify(await kept(), { now })).count, 0);
  });
}

test('without the own bundle nothing is served', async () => {
  const { entries, svids } = await kept();
  await assert.rejects(verify({ entries, svids, bundles: [] }), { kind: 'invalid' });
});

test('what is no such thing is refused', () => {
  assert.throws(() => decodeKept(Buffer.from('garbage')), { kind: 'invalid' });
});
