import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { type Holder, NOW, rootAuthority } from '../../../../test/kit/certificates.ts';
import { type Bundle, emptyBundle } from '../../../spiffe/bundle.ts';
import { TrustDomain } from '../../../spiffe/trust-domain.ts';
import { secondsToNextRefresh } from './next-refresh.ts';

const HOUR = 3600;
const empty = emptyBundle(TrustDomain.parse('b.test'));

let long: Holder;
let short: Holder;
before(async () => {
  long = await rootAuthority('long', { notBefore: NOW, notAfter: NOW + 1000 * HOUR });
  short = await rootAuthority('short', { notBefore: NOW, notAfter: NOW + 40 * HOUR });
});
const of = (holders: readonly Holder[], refreshHintSeconds = 0): Bundle => ({
  ...empty,
  refreshHintSeconds,
  x509Authorities: holders.map(({ certificate: { der } }) => ({ der, tainted: false })),
});

const rows: readonly [why: string, bundle: () => Bundle | undefined, seconds: number][] = [
  ['no bundle: a minute', () => undefined, 60],
  ['a hint: a quarter of it', () => of([short], 300), 75],
  ['a short hint counts as a minute', () => of([short], 1), 15],
  ['no hint: a fortieth of the shortest life', () => of([long, short]), HOUR],
  ['a hint below nothing is none', () => of([short], -5), HOUR],
  ['without authorities nothing lives long, and it counts as a minute', () => empty, 15],
  [
    'an endless hint ends after a year',
    () => of([], Number.MAX_SAFE_INTEGER),
    (365 * 24 * HOUR) / 4,
  ],
];
for (const [why, bundle, seconds] of rows) {
  test(why, () => {
    assert.equal(secondsToNextRefresh(bundle()), seconds);
  });
}
