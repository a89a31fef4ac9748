import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Changes,
  type Holder,
  intermediateAuthority,
  leafOf,
  NOW,
  rootAuthority,
} from '../../../test/kit/certificates.ts';
import {
  bitString,
  boolean,
  explicit,
  implicit,
  octetString,
  oid,
  sequence,
} from '../der/writer.ts';
import { extendedKeyUsages } from './build-certificate.ts';
import { type Certificate, parseCertificate } from './certificate.ts';
import { nameDer } from './name.ts';
import { type ChainRequest, verifyChain } from './verify-chain.ts';

const ID = 'spiffe://example.org/workload';
const root = await rootAuthority('root');
const one = await intermediateAuthority(root, 'one');
const two = await intermediateAuthority(one, 'two');
const leaf = await leafOf(two, ID);

const certificates = (...holders: Holder[]): Certificate[] =>
  holders.map(({ certificate }) => certificate);

const verify = (
  holder: Holder,
  intermediates: Holder[],
  roots: Holder[],
  more: Partial<ChainRequest> = {},
): Promise<readonly Certificate[]> =>
  verifyChain({
    leaf: holder.certificate,
    intermediates: certificates(...intermediates),
    roots: certificates(...roots),
    at: NOW,
    ...more,
  });

test('a chain is found whatever the order of its parts', async () => {
  const expected = certificates(leaf, two, one, root);
  assert.deepEqual(await verify(leaf, [one, two], [root]), expected);
  assert.deepEqual(await verify(leaf, [two, one], [root]), expected);
});

test('a leaf right below a root needs nothing else', async () => {
  const direct = await leafOf(root, ID);
  assert.deepEqual(await verify(direct, [], [root]), certificates(direct, root));
});

test('roots need not be self-signed', async () => {
  assert.deepEqual(await verify(leaf, [two], [one]), certificates(leaf, two, one));
  assert.deepEqual(await verify(leaf, [], [two]), certificates(leaf, two));
});

test('a leaf that is a root itself is its own chain', async () => {
  assert.deepEqual(await verify(root, [], [root]), certificates(root));
  assert.deepEqual(await verify(leaf, [], [leaf]), certificates(leaf));
});

test('of two roots of one name the one that signed is taken', async () => {
  const twin = await rootAuthority('root');
  assert.deepEqual((await verify(leaf, [one, two], [twin, root])).at(-1), root.certificate);
  const nameless = await rootAuthority('root', { subjectKeyId: undefined });
  assert.deepEqual((await verify(leaf, [one, two], [nameless, root])).at(-1), root.certificate);
});

test('a way around an expired certificate is found', async () => {
  const again = {
    ...(await intermediateAuthority(root, 'one', {
      publicKey: one.key.publicKey.spki,
      subjectKeyId: one.certificate.subjectKeyId,
      notAfter: NOW - 1,
    })),
    key: one.key,
  };
  assert.deepEqual(
    await verify(leaf, [again, two, one], [root]),
    certificates(leaf, two, one, root),
  );
});

test('validity includes both of its ends', async () => {
  for (const at of [leaf.certificate.notBefore, leaf.certificate.notAfter]) {
    assert.equal((await verify(leaf, [one, two], [root], { at })).length, 4);
  }
});

test('a path length counts the authorities below, the leaf not among them', async () => {
  const bound = await rootAuthority('bound', { basicConstraints: { ca: true, pathLength: 1 } });
  const first = await intermediateAuthority(bound, 'first');
  const second = await intermediateAuthority(first, 'second');
  const third = await leafOf(second, ID);
  assert.equal((await verify(await leafOf(first, ID), [first], [bound])).length, 3);
  await assert.rejects(verify(third, [first, second], [bound]), {
    kind: 'invalid',
    message: 'x509: too many intermediates for path length constraint',
  });
});

test('old roots of version 1 may sign', async () => {
  const old = { key: root.key, certificate: versionOne(root.certificate) };
  assert.equal((await verify(leaf, [one, two], [old])).length, 4);
});

const versionOne = (certificate: Certificate): Certificate => {
  const { basicConstraints: _basic, keyUsage: _usage, ...bare } = certificate;
  return { ...bare, version: 1, extensions: [] };
};

const unknown = 'x509: certificate signed by unknown authority';
const cannotSign =
  'x509: certificate signed by unknown authority (possibly because of "x509: invalid signature: parent certificate cannot sign this kind of certificate" while trying to verify candidate authority certificate "one")';

/** A leaf two steps below the root, of which the changes bend the step between. */
const below = async (changes: Changes): Promise<[Holder, Holder[]]> => {
  const authority = await intermediateAuthority(root, 'one', changes);
  return [await leafOf(authority, ID), [authority]];
};

for (const [why, changes, text] of [
  ['is no CA', { basicConstraints: { ca: false } }, cannotSign],
  ['does not say that it is one', { basicConstraints: undefined }, cannotSign],
  ['may not sign certificates', { keyUsage: ['digitalSignature', 'cRLSign'] }, cannotSign],
  [
    'has expired',
    { notAfter: NOW - 60 },
    'x509: certificate has expired or is not yet valid: current time 2027-01-15T08:00:00Z is after 2027-01-15T07:59:00Z',
  ],
  [
    'is not yet valid',
    { notBefore: NOW + 60 },
    'x509: certificate has expired or is not yet valid: current time 2027-01-15T08:00:00Z is before 2027-01-15T08:01:00Z',
  ],
] as [string, Changes, string][]) {
  test(`refuses a chain of which an authority ${why}`, async () => {
    const [holder, authorities] = await below(changes);
    await assert.rejects(verify(holder, authorities, [root]), { kind: 'invalid', message: text });
  });
}

test('an authority without key usage may sign, as Go has it', async () => {
  const [holder, authorities] = await below({ keyUsage: [] });
  assert.equal((await verify(holder, authorities, [root])).length, 3);
});

for (const [why, at, relation] of [
  ['expired', NOW + 7200, 'after 2027-01-15T09:00:00Z'],
  ['from the future', NOW - 7200, 'before 2027-01-15T07:00:00Z'],
] as const) {
  test(`refuses a leaf that is ${why}`, async () => {
    const now = new Date(at * 1000).toISOString().replace('.000', '');
    await assert.rejects(verify(leaf, [one, two], [root], { at }), {
      kind: 'invalid',
      message: `x509: certificate has expired or is not yet valid: current time ${now} is ${relation}`,
    });
  });
}

test('refuses a root that has expired', async () => {
  const old = await rootAuthority('old', { notAfter: NOW - 1 });
  await assert.rejects(verify(await leafOf(old, ID), [], [old]), {
    kind: 'invalid',
    message: /^x509: certificate has expired or is not yet valid: /,
  });
});

for (const [why, intermediates, roots] of [
  ['without roots', [one, two], []],
  ['without a step', [one], [root]],
  ['with other roots', [one, two], [await rootAuthority('other')]],
] as [string, Holder[], Holder[]][]) {
  test(`refuses a chain ${why}`, async () => {
    await assert.rejects(verify(leaf, intermediates, roots), { kind: 'invalid', message: unknown });
  });
}

test('a root of the same name with another key is refused, and named', async () => {
  const twin = await rootAuthority('root');
  await assert.rejects(verify(leaf, [one, two], [twin]), {
    kind: 'invalid',
    message: `${unknown} (possibly because of "x509: ECDSA verification failure" while trying to verify candidate authority certificate "root")`,
  });
});

/** Flips a bit of the bytes that were signed, or of the signature. */
const tampered = ({ certificate, key }: Holder, part: 'tbs' | 'signature'): Holder => {
  const der = new Uint8Array(certificate.der);
  const at = part === 'tbs' ? Buffer.from(der).indexOf('workload') : Buffer.from(der).length - 1;
  der[at] = (der[at] ?? 0) ^ 1;
  return { certificate: parseCertificate(der), key };
};

for (const part of ['tbs', 'signature'] as const) {
  test(`refuses a certificate whose ${part} was changed`, async () => {
    await assert.rejects(verify(tampered(leaf, part), [one, two], [root]), {
      kind: 'invalid',
      message: /^x509: certificate signed by unknown authority \(possibly because of/,
    });
  });
}

test('a leaf does not sign, not even for itself', async () => {
  const child = await leafOf(leaf, ID);
  await assert.rejects(verify(child, [leaf, two, one], [root]), { kind: 'invalid' });
  await assert.rejects(verify(child, [two, one], [leaf, root]), { kind: 'invalid' });
});

// Extensions that we do not write, put into a certificate and signed anew.

async function withExtension(
  holder: Holder,
  issuer: Holder,
  extension: Uint8Array,
): Promise<Holder> {
  const { certificate, key } = holder;
  const old = certificate.extensions.map(({ oid: id, critical, value }) =>
    sequence(oid(id), critical && boolean(true), octetString(value)),
  );
  // The extensions end the TBSCertificate, whose header is four bytes.
  const before = certificate.tbs.subarray(4, -explicit(3, sequence(...old)).length);
  const tbs = sequence(before, explicit(3, sequence(...old, extension)));
  const signature = await issuer.key.sign(tbs, 'sha256');
  const der = sequence(tbs, certificate.signatureAlgorithm, bitString(signature));
  return { certificate: parseCertificate(der), key };
}

test('refuses a critical extension that it does not know, wherever it is', async () => {
  const critical = sequence(oid('1.2.3'), boolean(true), octetString(sequence()));
  const marked = await withExtension(leaf, two, critical);
  const markedOne = await withExtension(one, root, critical);
  const message = 'x509: unhandled critical extension';
  await assert.rejects(verify(marked, [one, two], [root]), { kind: 'invalid', message });
  await assert.rejects(verify(leaf, [markedOne, two], [root]), { kind: 'invalid', message });
  const plain = sequence(oid('1.2.3'), octetString(sequence()));
  assert.equal((await verify(await withExtension(leaf, two, plain), [one, two], [root])).length, 4);
});

const { serverAuth, clientAuth, any } = extendedKeyUsages;

for (const [what, wanted, authority, holder, accepted] of [
  ['nothing is wanted', undefined, [clientAuth], [serverAuth], true],
  ['any use is wanted', [any], [clientAuth], [serverAuth], true],
  ['one of the wanted uses is there', [clientAuth, serverAuth], [], [serverAuth], true],
  ['the leaf says nothing of it', [clientAuth], [], [], true],
  ['the authority allows any', [serverAuth], [any], [serverAuth], true],
  ['both allow it', [serverAuth], [clientAuth, serverAuth], [serverAuth], true],
  ['the leaf does not allow it', [serverAuth], [], [clientAuth], false],
  ['the authority does not allow it', [serverAuth], [clientAuth], [clientAuth, serverAuth], false],
  ['each allows another', [clientAuth, serverAuth], [clientAuth], [serverAuth], false],
] as const) {
  test(`extended key usage: ${what}`, async () => {
    const issuer = await intermediateAuthority(root, 'uses', { extendedKeyUsage: authority });
    const used = await leafOf(issuer, ID, { extendedKeyUsage: holder });
    const chain = verify(used, [issuer], [root], { extendedKeyUsage: wanted });
    if (accepted) assert.equal((await chain).length, 3);
    else {
      await assert.rejects(chain, {
        kind: 'invalid',
        message: 'x509: certificate specifies an incompatible key usage',
      });
    }
  });
}

const dns = (name: string) => implicit(2, Buffer.from(name));
const uri = (host: string) => implicit(6, Buffer.from(host));
const mail = (name: string) => implicit(1, Buffer.from(name));
const notAuthorized =
  'x509: a root or intermediate certificate is not authorized to sign for this name: ';

for (const [what, permitted, excluded, names, refusal] of [
  ['its domain', [uri('example.org')], [], { uris: [ID] }, ''],
  ['below its domain', [uri('org')], [], { uris: [ID] }, ''],
  ['in another case', [dns('EXAMPLE.org')], [], { dnsNames: ['a.Example.ORG'] }, ''],
  ['of a kind without constraints', [dns('x.org')], [], { uris: [ID] }, ''],
  ['all names', [dns('')], [], { dnsNames: ['a.b'] }, ''],
  [
    'another domain',
    [uri('other.org')],
    [],
    { uris: [ID] },
    `URI "${ID}" is not permitted by any constraint`,
  ],
  [
    'a domain that only ends alike',
    [uri('ple.org')],
    [],
    { uris: [ID] },
    `URI "${ID}" is not permitted by any constraint`,
  ],
  [
    'the domain itself where only what is below is permitted',
    [dns('.example.org')],
    [],
    { dnsNames: ['example.org'] },
    'DNS name "example.org" is not permitted by any constraint',
  ],
  ['below it', [dns('.example.org')], [], { dnsNames: ['a.example.org'] }, ''],
  [
    'an excluded domain inside a permitted one',
    [dns('org')],
    [dns('example.org')],
    { dnsNames: ['a.example.org'] },
    'DNS name "a.example.org" is excluded by a constraint',
  ],
  [
    'one bad name among good ones',
    [dns('org')],
    [],
    { dnsNames: ['a.org', 'b.com'] },
    'DNS name "b.com" is not permitted by any constraint',
  ],
  [
    'a URI with an IP address',
    [uri('org')],
    [],
    { uris: ['spiffe://10.0.0.1/x'] },
    'URI with IP ("spiffe://10.0.0.1/x") cannot be matched against constraints',
  ],
  [
    'a URI without a host',
    [],
    [uri('org')],
    { uris: ['urn:x'] },
    'URI with empty host ("urn:x") cannot be matched against constraints',
  ],
  ['e-mail constraints', [mail('example.org')], [mail('a@b.c')], { uris: [ID] }, ''],
] as [string, Uint8Array[], Uint8Array[], Changes, string][]) {
  test(`name constraints: ${what} ${refusal === '' ? 'is let pass' : 'is refused'}`, async () => {
    const trees = (bases: Uint8Array[]) => bases.map((base) => sequence(base));
    const value = sequence(
      permitted.length > 0 && explicit(0, ...trees(permitted)),
      excluded.length > 0 && explicit(1, ...trees(excluded)),
    );
    const constraints = sequence(oid('2.5.29.30'), boolean(true), octetString(value));
    const bound = await withExtension(await intermediateAuthority(root, 'b'), root, constraints);
    const chain = verify(await leafOf(bound, ID, { uris: [], ...names }), [bound], [root]);
    if (refusal === '') assert.equal((await chain).length, 3);
    else await assert.rejects(chain, { kind: 'invalid', message: notAuthorized + refusal });
  });
}

test('critical constraints of other kinds are refused', async () => {
  const value = sequence(explicit(0, sequence(explicit(4, nameDer([['O', 'x']])))));
  const constraints = sequence(oid('2.5.29.30'), boolean(true), octetString(value));
  const bound = await withExtension(await intermediateAuthority(root, 'b'), root, constraints);
  await assert.rejects(verify(await leafOf(bound, ID), [bound], [root]), {
    kind: 'invalid',
    message: 'x509: unhandled critical extension',
  });
});

test('authorities that certify one another lead nowhere, and not for ever', async () => {
  const key = { key: one.key, certificate: one.certificate };
  const loop = await intermediateAuthority(two, 'one', { publicKey: one.key.publicKey.spki });
  await assert.rejects(verify(leaf, [loop, two], [root]), { kind: 'invalid', message: unknown });
  assert.equal((await verify(leaf, [loop, two, key], [root])).length, 4);
});

test('hostile intermediates buy a hundred signature checks at most', async () => {
  const twins = await Promise.all(
    Array.from({ length: 101 }, () => intermediateAuthority(root, 'two')),
  );
  await assert.rejects(verify(leaf, twins, [root]), {
    kind: 'invalid',
    message: 'x509: signature check attempts limit reached while verifying certificate chain',
  });
  await assert.rejects(
    verify(
      leaf,
      Array.from({ length: 1001 }, () => one),
      [root],
    ),
    {
      kind: 'invalid',
      message: 'x509: too many intermediate certificates',
    },
  );
});
