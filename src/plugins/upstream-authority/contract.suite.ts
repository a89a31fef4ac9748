import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fault, kindOf } from '../../base/fault.ts';
import { buildCsr } from '../../crypto/csr.ts';
import { generateKey } from '../../crypto/keys.ts';
import { type Certificate, parseCertificate } from '../../crypto/x509/certificate.ts';
import { nameDer } from '../../crypto/x509/name.ts';
import { verifyChain } from '../../crypto/x509/verify-chain.ts';
import type { TrustDomain } from '../../spiffe/trust-domain.ts';
import type { LocalBundleSubscription, PublishedJwtKeys, UpstreamAuthority } from './contract.ts';

export type OpenAuthority = {
  readonly authority: UpstreamAuthority;
  readonly trustDomain: TrustDomain;
  /** Unix seconds. */
  readonly now: () => number;
};

/** What every upstream authority promises. `open` makes one for each test; the suite closes it. */
export function upstreamAuthoritySuite(
  name: string,
  open: () => Promise<OpenAuthority & AsyncDisposable>,
): void {
  const spec = (
    what: string,
    run: (opened: OpenAuthority, signal: AbortSignal) => Promise<void>,
  ) => {
    test(`the upstream authority ${name} ${what}`, async () => {
      const stop = new AbortController();
      await using opened = await open();
      try {
        await run(opened, stop.signal);
      } finally {
        stop.abort();
      }
    });
  };

  const request = async (uris: readonly string[]) => {
    const key = await generateKey('ec-p256');
    const subject = nameDer([
      ['C', 'US'],
      ['O', 'TEST'],
      ['SERIALNUMBER', '17'],
    ]);
    return { key, csr: await buildCsr({ subject, uris, dnsNames: [] }, key) };
  };

  spec('signs a CA of that key, which its roots verify', async (opened, signal) => {
    const { authority, trustDomain, now } = opened;
    const { key, csr } = await request([trustDomain.idString]);
    const minted = await authority.mintX509Ca({ csr, ttlSeconds: 600, patient: true, signal });
    const [ca, ...intermediates] = minted.x509CaChain.map(parseCertificate);
    assert.ok(ca);
    assert.deepEqual(Buffer.from(ca.spki), Buffer.from(key.publicKey.spki));
    assert.equal(ca.basicConstraints?.ca, true);
    assert.deepEqual(ca.uris, [trustDomain.idString]);
    const roots = minted.upstreamRoots.map(({ der }) => parseCertificate(der));
    assert.ok(roots.length > 0);
    await verifyChain({ leaf: ca, intermediates, roots, at: now() });
    assert.ok(!minted.x509CaChain.some((der) => roots.some((root) => sameBytes(root.der, der))));
    assert.ok(isAbout(ca, now() + 600));
  });

  spec('gives a life of its own choice where none is asked for', async (opened, signal) => {
    const { csr } = await request([opened.trustDomain.idString]);
    const { x509CaChain } = await opened.authority.mintX509Ca({
      csr,
      ttlSeconds: 0,
      patient: true,
      signal,
    });
    assert.ok(parseCertificate(x509CaChain[0] ?? new Uint8Array()).notAfter > opened.now());
  });

  spec('signs nothing but a request that is signed', async ({ authority, trustDomain }, signal) => {
    const { csr } = await request([trustDomain.idString]);
    const damaged = Uint8Array.from(csr);
    damaged[damaged.length - 1] = (damaged.at(-1) ?? 0) ^ 1;
    for (const wrong of [new Uint8Array(), Buffer.from('garbage'), damaged]) {
      await assert.rejects(
        authority.mintX509Ca({ csr: wrong, ttlSeconds: 600, patient: true, signal }),
        named('internal'),
      );
    }
  });

  spec('answers each of several requests at once', async ({ authority, trustDomain }, signal) => {
    const requests = await Promise.all([1, 2, 3].map(() => request([trustDomain.idString])));
    const minted = await Promise.all(
      requests.map(({ csr }) =>
        authority.mintX509Ca({ csr, ttlSeconds: 600, patient: true, signal }),
      ),
    );
    const keys = minted.map(
      ({ x509CaChain: [ca = new Uint8Array()] }) => parseCertificate(ca).spki,
    );
    const expected = requests.map(({ key }) => Buffer.from(key.publicKey.spki));
    assert.deepEqual(
      keys.map((spki) => Buffer.from(spki)),
      expected,
    );
  });

  spec('ends its updates when the signal aborts', async ({ authority, trustDomain }) => {
    const stop = new AbortController();
    const { csr } = await request([trustDomain.idString]);
    const { updates } = await authority.mintX509Ca({
      csr,
      ttlSeconds: 600,
      patient: true,
      signal: stop.signal,
    });
    setImmediate(() => stop.abort(new Error('enough')));
    await endOf(updates, stop.signal);
  });

  spec('publishes a JWT key, or says that it does not', async ({ authority }, signal) => {
    const { publicKey } = await generateKey('ec-p256');
    const key = { publicKey: publicKey.spki, keyId: 'k', expiresAt: 2_000_000_000, tainted: false };
    const published = await orUnimplemented<PublishedJwtKeys>(authority.publishJwtKey(key, signal));
    if (published === undefined) return;
    assert.ok(published.jwtKeys.some(({ keyId }) => keyId === 'k'));
  });

  spec('tells the bundle, or says that it does not', async ({ authority }) => {
    const stop = new AbortController();
    const subscription = await orUnimplemented<LocalBundleSubscription>(
      authority.subscribeToLocalBundle(stop.signal),
    );
    if (subscription === undefined) return;
    assert.ok(subscription.bundle.x509Authorities.length > 0);
    setImmediate(() => stop.abort(new Error('enough')));
    await endOf(subscription.updates, stop.signal);
  });

  const named = (kind: string) => (error: unknown) => {
    assert.ok(error instanceof Fault);
    assert.equal(error.kind, kind);
    assert.match(error.message, new RegExp(`^upstreamauthority\\(${name}\\): .`));
    return true;
  };

  const orUnimplemented = async <T>(answer: Promise<T>): Promise<T | undefined> => {
    try {
      return await answer;
    } catch (error) {
      if (kindOf(error) !== 'unimplemented') throw error;
      named('unimplemented')(error);
      return undefined;
    }
  };
}

async function endOf(updates: AsyncIterable<unknown>, signal: AbortSignal): Promise<void> {
  try {
    for await (const _ of updates);
  } catch (error) {
    assert.equal(error, signal.reason);
  }
}

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
const isAbout = ({ notAfter }: Certificate, expected: number): boolean =>
  Math.abs(notAfter - expected) < 30;
