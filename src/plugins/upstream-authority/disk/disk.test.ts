import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  type Changes,
  type Holder,
  intermediateAuthority,
  NOW,
  rootAuthority,
} from '../../../../test/kit/certificates.ts';
import { VirtualClock } from '../../../../test/kit/clock.ts';
import { pluginSettings } from '../../../../test/kit/plugin-settings.ts';
import { type LogLine, recordingLog } from '../../../../test/kit/recording-log.ts';
import { temporaryFolder } from '../../../../test/kit/temp-dir.ts';
import { loadPlugin } from '../../../catalog/load-plugin.ts';
import { validatePlugin } from '../../../catalog/validate-plugin.ts';
import { buildCsr, parseCsr } from '../../../crypto/csr.ts';
import { generateKey, subjectKeyId } from '../../../crypto/keys.ts';
import { writePem } from '../../../crypto/pem.ts';
import { extendedKeyUsages } from '../../../crypto/x509/build-certificate.ts';
import { type Certificate, parseCertificate } from '../../../crypto/x509/certificate.ts';
import { nameDer } from '../../../crypto/x509/name.ts';
import { silentLog } from '../../../ops/log.ts';
import { TrustDomain } from '../../../spiffe/trust-domain.ts';
import { upstreamAuthorities } from '../builtins.ts';
import { upstreamAuthoritySuite } from '../contract.suite.ts';

const trustDomain = TrustDomain.parse('example.org');
const clock = () => new VirtualClock(NOW * 1000);
const { signal } = new AbortController();
const DAY = 24 * 3600;
const caUse: Changes = { notAfter: NOW + 30 * DAY };

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let root: Holder;
let intermediate: Holder;
let other: Holder;
const at = (name: string) => join(folder.path, name);
const pem = (...holders: { readonly certificate: Certificate }[]) =>
  holders.map(({ certificate }) => writePem('CERTIFICATE', certificate.der)).join('');
const keyPem = ({ key }: Holder) => writePem('PRIVATE KEY', key.toPkcs8());

before(async () => {
  folder = await temporaryFolder();
  root = await rootAuthority('root', caUse);
  intermediate = await intermediateAuthority(root, 'intermediate', caUse);
  other = await rootAuthority('other', caUse);
  const files = {
    'root.pem': pem(root),
    'root.key': keyPem(root),
    'intermediate.pem': pem(intermediate),
    'intermediate.key': keyPem(intermediate),
    'other.pem': pem(other),
    'two.pem': pem(root, other),
    'two.key': keyPem(root) + keyPem(other),
    'mixed.pem': pem(root) + keyPem(root),
    'empty.pem': '',
    'garbage.pem': 'garbage',
    'broken.pem': writePem('CERTIFICATE', Buffer.from('x')),
  };
  for (const [name, content] of Object.entries(files)) await writeFile(at(name), content);
});
after(() => folder[Symbol.asyncDispose]());

const load = (hcl: string, { lines = [] as LogLine[], time = clock() } = {}) =>
  loadPlugin(
    {
      kind: 'UpstreamAuthority',
      builtIns: upstreamAuthorities,
      log: silentLog,
      env: () => ({ clock: time, log: recordingLog(lines), trustDomain, environment: {} }),
    },
    { name: 'disk', data: pluginSettings(hcl) },
  );

const selfSigned = (certificates = 'root.pem', key = 'root.key') =>
  `cert_file_path = "${at(certificates)}"\nkey_file_path = "${at(key)}"`;
const withBundle = (bundle = 'root.pem', certificates = 'intermediate.pem') =>
  `${selfSigned(certificates, 'intermediate.key')}\nbundle_file_path = "${at(bundle)}"`;

const opened = (hcl: () => string) => async () => {
  const authority = await load(hcl());
  const close = () => authority[Symbol.asyncDispose]();
  return { authority, trustDomain, now: () => NOW, [Symbol.asyncDispose]: close };
};
describe('with a CA that is its own root', () => {
  upstreamAuthoritySuite('disk', opened(selfSigned));
});
describe('with a CA below a root', () => {
  upstreamAuthoritySuite('disk', opened(withBundle));
});

describe('a CA signed by files on disk', () => {
  const subject = nameDer([
    ['O', 'before C'],
    ['C', 'US'],
  ]);
  const csrFor = async (uris: readonly string[] = [trustDomain.idString]) =>
    buildCsr({ subject, uris, dnsNames: [] }, await generateKey('ec-p384'));
  const mint = async (hcl: string, ttlSeconds: number, csr?: Uint8Array) => {
    const request = csr ?? (await csrFor());
    const authority = await load(hcl);
    const minted = await authority.mintX509Ca({ csr: request, ttlSeconds, patient: true, signal });
    const [ca = new Uint8Array(), ...above] = minted.x509CaChain;
    return { ...minted, ca: parseCertificate(ca), above, csr: parseCsr(request) };
  };

  test('has the subject and the names of the request, and the rest from the authority', async () => {
    const { ca, csr } = await mint(selfSigned(), 600);
    assert.deepEqual(Buffer.from(ca.subject), Buffer.from(subject));
    assert.deepEqual(Buffer.from(ca.issuer), Buffer.from(root.certificate.subject));
    assert.deepEqual(ca.uris, ['spiffe://example.org']);
    assert.deepEqual(ca.dnsNames, []);
    assert.deepEqual([...(ca.keyUsage ?? [])], ['keyCertSign', 'cRLSign']);
    assert.deepEqual(ca.basicConstraints, { ca: true });
    assert.equal(ca.notBefore, NOW - 10);
    assert.deepEqual(
      Buffer.from(ca.subjectKeyId ?? []),
      Buffer.from(subjectKeyId(csr.publicKey.spki)),
    );
    assert.deepEqual(ca.authorityKeyId, root.certificate.subjectKeyId);
    assert.equal(ca.extensions.filter(({ oid }) => oid === '2.5.29.17').length, 1);
  });

  const lives: [ttl: number, life: number][] = [
    [600, 600],
    [0, 3600],
    [31 * DAY, 30 * DAY],
  ];
  for (const [ttl, life] of lives) {
    test(`lives ${life} seconds where ${ttl} are asked for`, async () => {
      const { ca } = await mint(selfSigned(), ttl);
      assert.equal(ca.notAfter, NOW + life);
    });
  }

  test('comes alone where the authority is its own root, which is the one to trust', async () => {
    const { above, upstreamRoots, updates } = await mint(selfSigned(), 600);
    assert.deepEqual(above, []);
    assert.deepEqual(upstreamRoots, [{ der: root.certificate.der, tainted: false }]);
    for await (const update of updates) assert.fail(`an update: ${update.length}`);
  });

  test('comes with all certificates of the file where there is a bundle, all of which is to trust', async () => {
    const { above, upstreamRoots } = await mint(withBundle('two.pem'), 600);
    assert.deepEqual(
      above.map((der) => Buffer.from(der)),
      [Buffer.from(intermediate.certificate.der)],
    );
    assert.deepEqual(
      upstreamRoots.map(({ der }) => Buffer.from(der)),
      [root, other].map(({ certificate }) => Buffer.from(certificate.der)),
    );
  });

  const refused: [why: string, uris: string[], message: string][] = [
    ['no ID', [], 'CSR must have exactly one URI SAN'],
    ['two IDs', ['spiffe://example.org', 'spiffe://a'], 'CSR must have exactly one URI SAN'],
    [
      'no SPIFFE ID',
      ['http://a'],
      'CSR with SPIFFE ID "http://a" is invalid: scheme is missing or invalid',
    ],
    [
      'the ID of another trust domain',
      ['spiffe://other.test'],
      'CSR with SPIFFE ID "spiffe://other.test" is invalid: must use the trust domain ID for trust domain "example.org"',
    ],
    [
      'the ID of a workload',
      ['spiffe://example.org/web'],
      'CSR with SPIFFE ID "spiffe://example.org/web" is invalid: must use the trust domain ID for trust domain "example.org"',
    ],
  ];
  for (const [why, uris, message] of refused) {
    test(`is not signed for a request with ${why}`, async () => {
      await assert.rejects(mint(selfSigned(), 600, await csrFor(uris)), {
        kind: 'internal',
        message: `upstreamauthority(disk): unable to sign CSR: ${message}`,
      });
    });
  }

  test('is signed by the files as they are then; what cannot be read leaves the last good ones', async () => {
    const certificate = at('live.pem');
    const key = at('live.key');
    await writeFile(certificate, pem(root));
    await writeFile(key, keyPem(root));
    const lines: LogLine[] = [];
    const authority = await load(selfSigned('live.pem', 'live.key'), { lines });
    const issuerOf = async () => {
      const { x509CaChain } = await authority.mintX509Ca({
        csr: await csrFor(),
        ttlSeconds: 600,
        patient: true,
        signal,
      });
      return parseCertificate(x509CaChain[0] ?? new Uint8Array()).issuer;
    };
    assert.deepEqual(await issuerOf(), root.certificate.subject);
    await writeFile(certificate, pem(other));
    assert.deepEqual(await issuerOf(), root.certificate.subject);
    assert.deepEqual(
      lines.map(({ message, fields }) => [message, fields['error']]),
      [
        [
          'Failed to read the upstream CA again; the one read before is used',
          'unable to load upstream CA: certificate and private key do not match',
        ],
      ],
    );
    await writeFile(key, keyPem(other));
    assert.deepEqual(await issuerOf(), other.certificate.subject);
    await rm(key);
    assert.deepEqual(await issuerOf(), other.certificate.subject);
  });

  test('is all that it gives', async () => {
    const authority = await load(selfSigned());
    await assert.rejects(
      authority.publishJwtKey(
        { publicKey: new Uint8Array(), keyId: 'k', expiresAt: 0, tainted: false },
        signal,
      ),
      {
        kind: 'unimplemented',
        message: 'upstreamauthority(disk): publishing upstream is unsupported',
      },
    );
    await assert.rejects(authority.subscribeToLocalBundle(signal), {
      kind: 'unimplemented',
      message: 'upstreamauthority(disk): fetching upstream trust bundle is unsupported',
    });
  });
});

describe("the disk authority's configuration", () => {
  const REFUSED = 'failed to configure plugin "disk": rpc error: code = InvalidArgument desc = ';
  const unvalidated =
    'unable to load upstream CA: certificate cannot be validated with the provided bundle or is not self-signed';
  const unset = "'cert_file_path' and 'key_file_path' must be set and not empty";
  const keyTypes = '["PRIVATE KEY" "RSA PRIVATE KEY" "EC PRIVATE KEY"]';
  const refused: [hcl: () => string, message: string][] = [
    [() => '', unset],
    [() => 'cert_file_path = "x"', unset],
    [() => 'key_file_path = "x"', unset],
    [() => 'key_file_path = []', 'plugin configuration is malformed'],
    [
      () => selfSigned('nope.pem'),
      'unable to load upstream CA cert: open $/nope.pem: no such file or directory',
    ],
    [
      () => selfSigned('root.pem', 'nope.key'),
      'unable to load upstream CA key: open $/nope.key: no such file or directory',
    ],
    [() => selfSigned('root.pem', 'empty.pem'), 'unable to load upstream CA key: no PEM blocks'],
    [() => selfSigned('root.pem', 'garbage.pem'), 'unable to load upstream CA key: no PEM blocks'],
    [
      () => selfSigned('root.pem', 'two.key'),
      'unable to load upstream CA key: expected 1 PEM blocks; got 2',
    ],
    [
      () => selfSigned('root.pem', 'root.pem'),
      `unable to load upstream CA key: expected block type ${keyTypes}; got "CERTIFICATE"`,
    ],
    [() => selfSigned('empty.pem'), 'unable to load upstream CA cert: no PEM blocks'],
    [() => selfSigned('garbage.pem'), 'unable to load upstream CA cert: no PEM blocks'],
    [
      () => selfSigned('mixed.pem'),
      'unable to load upstream CA cert: expected block type "CERTIFICATE"; got "PRIVATE KEY"',
    ],
    [
      () => selfSigned('two.pem'),
      'with no bundle_file_path configured only self-signed CAs are supported',
    ],
    [
      () => selfSigned('other.pem'),
      'unable to load upstream CA: certificate and private key do not match',
    ],
    [() => withBundle('other.pem'), unvalidated],
    [() => withBundle('empty.pem'), 'unable to load upstream CA bundle: no PEM blocks'],
    [
      () => withBundle('nope.pem'),
      'unable to load upstream CA bundle: open $/nope.pem: no such file or directory',
    ],
    [
      () => withBundle('mixed.pem'),
      'unable to load upstream CA bundle: expected block type "CERTIFICATE"; got "PRIVATE KEY"',
    ],
  ];
  for (const [hcl, message] of refused) {
    test(`is refused: ${message}`, async () => {
      await assert.rejects(load(hcl()), {
        kind: 'invalid',
        message: `${REFUSED}${message.replace('$', folder.path)}`,
      });
    });
  }

  test('is refused for what is no certificate', async () => {
    await assert.rejects(load(selfSigned('broken.pem')), {
      kind: 'invalid',
      message: /desc = unable to load upstream CA cert: x509: ./,
    });
  });

  test('takes an intermediate CA without its root for one, as Go does', async () => {
    const authority = await load(selfSigned('intermediate.pem', 'intermediate.key'));
    const csr = await buildCsr(
      { uris: [trustDomain.idString], dnsNames: [] },
      await generateKey('ec-p256'),
    );
    const { upstreamRoots } = await authority.mintX509Ca({
      csr,
      ttlSeconds: 600,
      patient: true,
      signal,
    });
    assert.deepEqual(upstreamRoots, [{ der: intermediate.certificate.der, tainted: false }]);
  });

  test('is refused for a CA that has expired', async () => {
    const time = new VirtualClock((NOW + 31 * DAY) * 1000);
    await assert.rejects(load(selfSigned(), { time }), { message: `${REFUSED}${unvalidated}` });
  });

  for (const [uses, good] of [
    [[extendedKeyUsages.clientAuth], false],
    [[extendedKeyUsages.serverAuth], true],
    [[extendedKeyUsages.any], true],
  ] as const) {
    test(`${good ? 'takes' : 'is refused for'} a CA for ${uses.join()}`, async () => {
      const limited = await rootAuthority('limited', { ...caUse, extendedKeyUsage: uses });
      await writeFile(at('limited.pem'), pem(limited));
      await writeFile(at('limited.key'), keyPem(limited));
      const loaded = load(selfSigned('limited.pem', 'limited.key'));
      if (good) await loaded;
      else await assert.rejects(loaded, { message: `${REFUSED}${unvalidated}` });
    });
  }

  test('is checked by validate without a look at the files', async () => {
    const check = (hcl: string) =>
      validatePlugin(
        { kind: 'UpstreamAuthority', builtIns: upstreamAuthorities },
        { name: 'disk', data: pluginSettings(hcl) },
      );
    assert.deepEqual(await check('cert_file_path = "/nope"\nkey_file_path = "/nope"'), []);
    assert.deepEqual(await check('cert_file_path = "/nope"'), [unset]);
  });
});
