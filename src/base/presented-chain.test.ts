import assert from 'node:assert/strict';
import type { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { presentedChain } from './presented-chain.ts';

/** A connection whose peer sent so many certificates, numbered from the leaf. */
const sent = (count: number): Pick<TLSSocket, 'getPeerX509Certificate'> => {
  let leaf: X509Certificate | undefined;
  for (let number = count; number > 0; number--) {
    leaf = {
      raw: Buffer.of(number),
      issuerCertificate: leaf,
    } as unknown as X509Certificate;
  }
  return { getPeerX509Certificate: () => leaf };
};

test('what the peer sent, leaf first', () => {
  assert.deepEqual(presentedChain(sent(0)), []);
  assert.deepEqual(
    presentedChain(sent(3)).map(([number]) => number),
    [1, 2, 3],
  );
  assert.equal(presentedChain(sent(16)).length, 16);
});

test('a longer chain than anybody has is refused', () => {
  assert.throws(() => presentedChain(sent(17)), {
    kind: 'invalid',
    message: 'the peer presents too many certificates',
  });
});
