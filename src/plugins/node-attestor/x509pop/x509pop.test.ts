import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  type Changes,
  type Holder,
  intermediateAuthority,
  leafOf,
  NOW,
  rootAuthority,
} from '../../../../test/kit/certificates.ts';
import { VirtualClock } from '../../../../test/kit/clock.ts';
import { pluginSettings } from '../../../../test/kit/plugin-settings.ts';
import { type LogLine, recordingLog } from '../../../../test/kit/recording-log.ts';
import { temporaryFolder } from '../../../../test/kit/temp-dir.ts';
import type { FaultKind } from '../../../base/fault.ts';
import { loadPlugin } from '../../../catalog/load-plugin.ts';
import { writePem } from '../../../crypto/pem.ts';
import { nameDer } from '../../../crypto/x509/name.ts';
import { silentLog } from '../../../ops/log.ts';
import { TrustDomain } from '../../../spiffe/trust-domain.ts';
import { agentNodeAttestors, serverNodeAttestors } from '../builtins.ts';
import { type AttestorPair, exchange, nodeAttestorSuite } from '../contract.suite.ts';
import { readPayload, writePayload } from './messages.ts';

const trustDomain = TrustDomain.parse('example.org');
const clock = new VirtualClock(NOW * 1000);
const sha1 = (der: Uint8Array): string => createHash('sha1').update(der).digest('hex');
const pem = (...holders: readonly Holder[]): string =>
  holders.map(({ certificate }) => writePem('CERTIFICATE', certificate.der)).join('');
const keyPem = ({ key }: Holder): string => writePem('PRIVATE KEY', key.toPkcs8());

/** SANs: IP 192.0.2.1, IP 2001:db8::1. */
const IP_CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBpjCCAUygAwIBAgIUPuVpD5bIkR16NYg74UfFnp+8WF8wCgYIKoZIzj0EAwIw
DTELMAkGA1UEAwwCaXAwIBcNMjYxMTI0MjM1NzUyWhgPMjEyNjEwMzEyMzU3NTJa
MA0xCzAJBgNVBAMMAmlwMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEGJfPqVt5
7dS+mmuEmj2Kx0wKJntys6PtDkfJVxpGi+V7w0vPMKCdNnPcGhEFNu1CsY7VfNiN
zngWxPNYyueir6OBhzCBhDAdBgNVHQ4EFgQUn/gNiGIAN+viZt3smlANgCggtqEw
HwYDVR0jBBgwFoAUn/gNiGIAN+viZt3smlANgCggtqEwDwYDVR0TAQH/BAUwAwEB
/zAhBgNVHREEGjAYhwTAAAIBhxAgAQ24AAAAAAAAAAAAAAABMA4GA1UdDwEB/wQE
AwIHgDAKBggqhkjOPQQDAgNIADBFAiEAhTK9nvKrqwSHlp4Q3iShx3eFfj1pIAJI
B2nBdsH22e4CIB9EPuDroNhKrVHcIdpQoSxZ64R7ZbARqI7j740wW4Nt
-----END CERTIFICATE-----`;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let root: Holder;
let other: Holder;
let intermediate: Holder;
let node: Holder;
before(async () => {
  folder = await temporaryFolder();
  root = await rootAuthority('root');
  other = await rootAuthority('other');
  intermediate = await intermediateAuthority(root, 'intermediate');
  node = await leafOf(intermediate, 'spiffe://exchange.test/spire-exchange/rack/1', {
    subject: nameDer([['CN', 'node-1']]),
    serialNumber: 0xabcn,
  });
  await Promise.all([
    file('root.pem', pem(root)),
    file('other.pem', pem(other)),
    file('both.pem', `${pem(root)}${keyPem(other)}${pem(other)}`),
    file('node.key', keyPem(node)),
    file('node.pem', pem(node, intermediate)),
    file('leaf.pem', pem(node)),
    file('intermediate.pem', pem(intermediate)),
  ]);
});
after(() => folder[Symbol.asyncDispose]());

const at = (name: string): string => join(folder.path, name);
async function file(name: string, content: string | Uint8Array): Promise<string> {
  await writeFile(at(name), content);
  return at(name);
}

type ServerOptions = { readonly roots?: () => readonly Uint8Array[]; readonly lines?: LogLine[] };

const server = (hcl: string, { roots = () => [], lines = [] }: ServerOptions = {}) =>
  loadPlugin(
    {
      kind: 'NodeAttestor',
      builtIns: serverNodeAttestors,
      log: recordingLog(lines),
      env: (log) => ({
        clock,
        log,
        trustDomain,
        joinTokens: { spend: async () => undefined },
        x509Authorities: roots,
      }),
    },
    { name: 'x509pop', data: pluginSettings(hcl) },
  );
const agent = (hcl: string) =>
  loadPlugin(
    {
      kind: 'NodeAttestor',
      builtIns: agentNodeAttestors,
      log: silentLog,
      env: () => ({ joinToken: undefined }),
    },
    { name: 'x509pop', data: pluginSettings(hcl) },
  );

const ownRoots = () => server(`ca_bundle_path = "${at('root.pem')}"`);
const nodeAgent = () =>
  agent(`private_key_path = "${at('node.key')}"\ncertificate_path = "${at('node.pem')}"`);
const pair = async (): Promise<AttestorPair> => ({
  agent: await nodeAgent(),
  server: await ownRoots(),
});

/** An agent that has that certificate, with others after it. */
async function agentOf(holder: Holder, ...others: readonly Holder[]) {
  const name = sha1(holder.certificate.der);
  const key = await file(`${name}.key`, keyPem(holder));
  const chain = await file(`${name}.pem`, pem(holder, ...others));
  return agent(`private_key_path = "${key}"\ncertificate_path = "${chain}"`);
}

nodeAttestorSuite('x509pop', pair, { challenges: 1, canReattest: true });

describe('x509pop', () => {
  test('names the agent by its certificate, and finds all selectors', async () => {
    const { attestation } = await exchange(await pair());
    const id = `spiffe://example.org/spire/agent/x509pop/${sha1(node.certificate.der)}`;
    assert.equal(attestation.agentId.toString(), id);
    assert.deepEqual(attestation.selectorValues.toSorted(), [
      ...[intermediate, root]
        .map(({ certificate }) => `ca:fingerprint:${sha1(certificate.der)}`)
        .toSorted(),
      'serialnumber:0abc',
      'subject:cn:node-1',
    ]);
  });

  test('takes intermediates from a file of their own', async () => {
    const split = await agent(
      [
        `private_key_path = "${at('node.key')}"`,
        `certificate_path = "${at('leaf.pem')}"`,
        `intermediates_path = " ${at('intermediate.pem')} "`,
      ].join('\n'),
    );
    const { payload } = await split.begin(new AbortController().signal);
    assert.equal(readPayload(payload).length, 2);
    await exchange({ agent: split, server: await ownRoots() });
  });

  test('trusts several CA files, and skips what is no certificate in them', async () => {
    const bundles = `ca_bundle_paths = ["${at('other.pem')}", "${at('both.pem')}"]`;
    await exchange({ agent: await nodeAgent(), server: await server(bundles) });
  });

  test('finds the authorities of every chain that verifies', async () => {
    const again = await rootAuthority('root', {
      publicKey: root.key.publicKey.spki,
      subjectKeyId: root.certificate.subjectKeyId,
    });
    const crossed = await intermediateAuthority(other, 'root', {
      publicKey: root.key.publicKey.spki,
      subjectKeyId: root.certificate.subjectKeyId,
    });
    assert.notEqual(sha1(again.certificate.der), sha1(root.certificate.der));
    const { attestation } = await exchange({
      agent: await agentOf(node, intermediate, crossed),
      server: await server(`ca_bundle_path = "${at('both.pem')}"`),
    });
    const found = attestation.selectorValues.filter((value) => value.startsWith('ca:'));
    assert.deepEqual(
      found.toSorted(),
      [intermediate, root, crossed, other]
        .map(({ certificate }) => `ca:fingerprint:${sha1(certificate.der)}`)
        .toSorted(),
    );
  });

  test('names no authority that stands in chains alone that do not verify', async () => {
    const top = await rootAuthority('top', { basicConstraints: { ca: true, pathLength: 1 } });
    const [first, middle] = await Promise.all([
      intermediateAuthority(top, 'first'),
      intermediateAuthority(top, 'middle'),
    ]);
    // Each of its links holds, and so do all of it but its root: the path is too long for that one.
    const longer = await intermediateAuthority(middle, 'first', {
      publicKey: first.key.publicKey.spki,
      subjectKeyId: first.certificate.subjectKeyId,
    });
    await file('top.pem', pem(top));
    const { attestation } = await exchange({
      agent: await agentOf(await leafOf(first, ''), longer, middle, first),
      server: await server(`ca_bundle_path = "${at('top.pem')}"`),
    });
    assert.deepEqual(
      attestation.selectorValues.filter((value) => value.startsWith('ca:')).toSorted(),
      [first, top].map(({ certificate }) => `ca:fingerprint:${sha1(certificate.der)}`).toSorted(),
    );
  });

  test('reads renewed files at the next attestation', async () => {
    const [key, chain] = await Promise.all([file('r.key', keyPem(node)), file('r.pem', pem(node))]);
    const attestor = await agent(`private_key_path = "${key}"\ncertificate_path = "${chain}"`);
    const renewed = await leafOf(root, 'spiffe://exchange.test/x');
    await Promise.all([file('r.key', keyPem(renewed)), file('r.pem', pem(renewed))]);
    const { attestation } = await exchange({ agent: attestor, server: await ownRoots() });
    assert.ok(attestation.agentId.path.endsWith(sha1(renewed.certificate.der)));
  });

  const uris = [
    'x509pop://example.org/environment/production',
    'x509pop://example.org/environment/staging/',
    'x509pop://example.org/rack/a%20b/c',
    'x509pop://example.org/lonely',
    'x509pop://example.org/',
    'x509pop://example.org/bad/%zz',
    'x509pop://other.org/a/b',
  ];
  test('finds facts in URI SANs of its own trust domain', async () => {
    const lines: LogLine[] = [];
    const holder = await leafOf(root, '', { uris, subject: nameDer([['O', 'x']]) });
    const { attestation } = await exchange({
      agent: await agentOf(holder),
      server: await server(`ca_bundle_path = "${at('root.pem')}"`, { lines }),
    });
    const found = attestation.selectorValues.filter((value) => !/^(?:ca|serial)/.test(value));
    assert.deepEqual(found, ['san:environment:staging', 'san:rack:a b/c']);
    assert.deepEqual(
      lines.map(({ message }) => message).filter((message) => message.startsWith('cannot')),
      ['lonely', '', 'bad/%zz'].map(
        (path) => `cannot extract x509pop san selectors from x509pop://example.org/${path}`,
      ),
    );
  });

  const keyPairs: [what: string, make: () => { publicKey: KeyObject; privateKey: KeyObject }][] = [
    ['RSA 2048', () => generateKeyPairSync('rsa', { modulusLength: 2048 })],
    ['RSA 1024', () => generateKeyPairSync('rsa', { modulusLength: 1024 })],
    ['P-224', () => generateKeyPairSync('ec', { namedCurve: 'secp224r1' })],
    ['P-384', () => generateKeyPairSync('ec', { namedCurve: 'P-384' })],
    ['P-521', () => generateKeyPairSync('ec', { namedCurve: 'P-521' })],
  ];
  const forms = [
    { type: 'pkcs8', format: 'pem' },
    { type: 'sec1', format: 'pem' },
    { type: 'pkcs1', format: 'pem' },
  ] as const;
  for (const [what, make] of keyPairs) {
    test(`attests with a key of ${what}, in each form of its file`, async () => {
      const { publicKey, privateKey } = make();
      const holder = await leafOf(root, 'spiffe://exchange.test/x', {
        publicKey: publicKey.export({ type: 'spki', format: 'der' }),
      });
      const chain = await file('key.pem', pem(holder));
      for (const form of forms) {
        if (form.type === (what.startsWith('RSA') ? 'sec1' : 'pkcs1')) continue;
        const key = await file('key.key', privateKey.export(form as never));
        const attestor = await agent(`private_key_path = "${key}"\ncertificate_path = "${chain}"`);
        await exchange({ agent: attestor, server: await ownRoots() });
      }
    });
  }

  test('refuses a key of another kind, on either side', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const holder = await leafOf(root, 'spiffe://exchange.test/x', {
      publicKey: publicKey.export({ type: 'spki', format: 'der' }),
    });
    const chain = await file('ed.pem', pem(holder));
    const key = await file('ed.key', privateKey.export({ type: 'pkcs8', format: 'pem' }));
    const attestor = await agent(`private_key_path = "${key}"\ncertificate_path = "${chain}"`);
    await assert.rejects(exchange({ agent: attestor, server: await ownRoots() }), {
      kind: 'internal',
      message:
        'nodeattestor(x509pop): unable to generate challenge: unsupported public key type ed25519.PublicKey',
    });
    const attestation = await attestor.begin(new AbortController().signal);
    const nonce = Buffer.alloc(32).toString('base64');
    await assert.rejects(
      attestation.answer(Buffer.from(JSON.stringify({ rsa_signature: { nonce } }))),
      {
        message:
          'nodeattestor(x509pop): failed to calculate challenge response: unsupported private key type ed25519.PrivateKey',
      },
    );
  });
});

describe('x509pop in mode spiffe', () => {
  const ownBundle = (hcl = 'mode = "spiffe"', lines: LogLine[] = []) =>
    server(hcl, { roots: () => [root.certificate.der], lines });
  const attest = async (uri: string, hcl?: string) => {
    const holder = await leafOf(root, uri);
    return exchange({ agent: await agentOf(holder), server: await ownBundle(hcl) });
  };

  const accepted: [uri: string, hcl: string | undefined, path: string][] = [
    ['spiffe://exchange.test/spire-exchange/rack/1', undefined, 'rack/1'],
    ['spiffe://exchange.test/mine/a', 'spiffe_prefix = "/mine"', 'a'],
    ['spiffe://exchange.test/mine/a', 'spiffe_prefix = "/mine/"', 'a'],
    ['spiffe://exchange.test/any/b', 'spiffe_prefix = ""', 'any/b'],
    [
      'spiffe://exchange.test/spire-exchange/a',
      'svid_prefix = "/ignored/"\nagent_path_template = "/{{.PluginName}}/{{ .SVIDPathTrimmed}}"',
      'a',
    ],
  ];
  for (const [uri, hcl, path] of accepted) {
    test(`${uri}, ${hcl ?? 'by default'}: /x509pop/${path}`, async () => {
      const { attestation } = await attest(uri, `mode = "spiffe"\n${hcl ?? ''}`);
      assert.equal(attestation.agentId.path, `/spire/agent/x509pop/${path}`);
    });
  }

  const refused: [uri: string, kind: FaultKind, message: string][] = [
    ['https://exchange.test/x', 'denied', 'valid SVID x509 cert not found'],
    ['spiffe://exchange.test/other/x', 'denied', 'x509 cert doesnt match SVID prefix'],
    [
      'spiffe://exchange.test/spire-exchange/',
      'internal',
      'failed to make spiffe id: invalid agent path suffix "/x509pop/": path cannot have a trailing slash',
    ],
    [
      'spiffe://exchange.test/spire-exchange/../../server',
      'internal',
      'failed to make spiffe id: invalid agent path suffix "/x509pop/../../server": path cannot contain dot segments',
    ],
  ];
  for (const [uri, kind, message] of refused) {
    test(`${uri}: refused`, async () => {
      await assert.rejects(attest(uri), { kind, message: `nodeattestor(x509pop): ${message}` });
    });
  }

  test("refuses everyone where the server's own bundle is empty, and says so", async () => {
    const lines: LogLine[] = [];
    const empty = await server('mode = "spiffe"', { lines });
    await assert.rejects(exchange({ agent: await agentOf(node, intermediate), server: empty }), {
      kind: 'denied',
      message:
        'nodeattestor(x509pop): certificate verification failed: x509: certificate signed by unknown authority',
    });
    assert.ok(lines.some(({ message }) => message === 'No trust bundle retrieved from SPIRE'));
  });

  test("refuses everyone where the server's own bundle cannot be had", async () => {
    const broken = await server('mode = "spiffe"', {
      roots: () => {
        throw new Error('not yet');
      },
    });
    await assert.rejects(exchange({ agent: await agentOf(node, intermediate), server: broken }), {
      kind: 'internal',
      message: 'nodeattestor(x509pop): failed to get trust bundle: not yet',
    });
  });
});

describe('x509pop refuses', () => {
  const attestPayload = async (payload: Uint8Array, hcl = '') => {
    const attestor = await server(`ca_bundle_path = "${at('root.pem')}"\n${hcl}`);
    const challenge = () => assert.fail('nothing to prove');
    return attestor.attest(payload, {
      challenge,
      clientIp: '127.0.0.1',
      signal: new AbortController().signal,
    });
  };
  const json = (value: unknown) => Buffer.from(JSON.stringify(value));
  const b64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');

  type Row = [why: string, payload: () => Uint8Array, kind: FaultKind, message: RegExp | string];
  const der = (...holders: Holder[]) => holders.map(({ certificate }) => certificate.der);
  const payloads: Row[] = [
    [
      'no JSON',
      () => Buffer.from('x'),
      'invalid',
      /^nodeattestor\(x509pop\): failed to unmarshal data: ./,
    ],
    ['trailing data', () => Buffer.from('{} {}'), 'invalid', /failed to unmarshal data: ./],
    ['a list', () => json([]), 'invalid', /failed to unmarshal data: ./],
    [
      'certificates that are text',
      () => json({ certificates: 'x' }),
      'invalid',
      /failed to unmarshal data: ./,
    ],
    [
      'a certificate that is no base64',
      () => json({ certificates: ['*'] }),
      'invalid',
      /failed to unmarshal data: ./,
    ],
    ['null', () => json(null), 'invalid', 'nodeattestor(x509pop): no certificate to attest'],
    [
      'no certificates',
      () => json({ certificates: null }),
      'invalid',
      'nodeattestor(x509pop): no certificate to attest',
    ],
    [
      'an empty list',
      () => writePayload([]),
      'invalid',
      'nodeattestor(x509pop): no certificate to attest',
    ],
    [
      'five intermediates',
      () => writePayload([...der(node), ...Array(5).fill(intermediate.certificate.der)]),
      'invalid',
      'nodeattestor(x509pop): too many intermediate certificates',
    ],
    [
      'a leaf that is no certificate',
      () => writePayload([Buffer.from('x')]),
      'invalid',
      /unable to parse leaf certificate: ./,
    ],
    [
      'a second intermediate that is none',
      () => writePayload([...der(node, intermediate), Buffer.from('x')]),
      'invalid',
      /unable to parse intermediate certificate 1: ./,
    ],
    [
      'a chain that does not end in our roots',
      () => writePayload(der(other)),
      'denied',
      'nodeattestor(x509pop): certificate verification failed: x509: certificate signed by unknown authority',
    ],
    [
      'a leaf whose issuer is missing',
      () => writePayload(der(node)),
      'denied',
      /certificate verification failed: x509: ./,
    ],
  ];
  for (const [why, payload, kind, message] of payloads) {
    test(why, async () => {
      await assert.rejects(attestPayload(payload()), { kind, message });
    });
  }

  test('an empty payload', async () => {
    await assert.rejects(attestPayload(new Uint8Array()), {
      kind: 'invalid',
      message: 'payload cannot be empty',
    });
  });

  test('more intermediates than are configured', async () => {
    await assert.rejects(
      attestPayload(writePayload(der(node, intermediate, other)), 'max_intermediates = 1'),
      {
        message: 'nodeattestor(x509pop): too many intermediate certificates',
      },
    );
  });

  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({
    type: 'spki',
    format: 'der',
  });
  test('RSA keys that are larger than configured, in leaf or intermediate', async () => {
    const large = await leafOf(root, 'spiffe://exchange.test/x', { publicKey: rsa });
    const hcl = 'max_rsa_key_size = 2047';
    await assert.rejects(attestPayload(writePayload(der(large)), hcl), {
      kind: 'invalid',
      message: 'nodeattestor(x509pop): leaf certificate key size too large',
    });
    await assert.rejects(attestPayload(writePayload(der(node, intermediate, large)), hcl), {
      kind: 'invalid',
      message: 'nodeattestor(x509pop): intermediate certificate 1 key size too large',
    });
  });

  const leaves: [why: string, changes: Changes, kind: FaultKind, message: RegExp | string][] = [
    [
      'a leaf that expired',
      { notAfter: NOW - 1 },
      'denied',
      /certificate verification failed: x509: certificate has expired/,
    ],
    [
      'a leaf that may not sign',
      { keyUsage: ['keyEncipherment'] },
      'internal',
      'nodeattestor(x509pop): unable to generate challenge: certificate not intended for digital signature use',
    ],
    [
      'a leaf without key usage',
      { keyUsage: [] },
      'internal',
      'nodeattestor(x509pop): unable to generate challenge: certificate not intended for digital signature use',
    ],
  ];
  for (const [why, changes, kind, message] of leaves) {
    test(why, async () => {
      const holder = await leafOf(root, 'spiffe://exchange.test/x', changes);
      await assert.rejects(exchange({ agent: await agentOf(holder), server: await ownRoots() }), {
        kind,
        message,
      });
    });
  }

  type Message = Record<'rsa_signature' | 'ecdsa_signature', Record<string, string> | null>;
  const edited = (edit: (message: Message) => unknown) => (answer: Uint8Array) => {
    const message = JSON.parse(Buffer.from(answer).toString()) as Message;
    return json(edit(message) ?? message);
  };
  const change = (part: string, value: Uint8Array) =>
    edited(({ ecdsa_signature, ...rest }) => ({
      ...rest,
      ecdsa_signature: { ...ecdsa_signature, [part]: b64(value) },
    }));
  const failed = (why: string) => `challenge response verification failed: ${why}`;
  const answers: [
    why: string,
    tamper: (answer: Uint8Array) => Uint8Array,
    kind: FaultKind,
    message: string | RegExp,
  ][] = [
    ['no JSON', () => Buffer.from('x'), 'invalid', /unable to unmarshal challenge response: ./],
    [
      'an empty answer',
      () => new Uint8Array(),
      'invalid',
      /unable to unmarshal challenge response: ./,
    ],
    [
      'an answer of another kind',
      edited((m) => ({ rsa_signature: m.ecdsa_signature })),
      'denied',
      failed('expecting ECDSA response'),
    ],
    [
      'a short nonce',
      change('nonce', Buffer.alloc(31)),
      'denied',
      failed('invalid response nonce'),
    ],
    [
      'another nonce',
      change('nonce', Buffer.alloc(32)),
      'denied',
      failed('ECDSA signature verify failed'),
    ],
    ['r of zero', change('r', Buffer.alloc(32)), 'denied', failed('ECDSA signature verify failed')],
    ['no s', change('s', new Uint8Array()), 'denied', failed('ECDSA signature verify failed')],
    [
      'r that is too long',
      change('r', Buffer.alloc(33, 1)),
      'denied',
      failed('ECDSA signature verify failed'),
    ],
  ];
  for (const [why, tamper, kind, message] of answers) {
    test(`the answer: ${why}`, async () => {
      const expected = typeof message === 'string' ? `nodeattestor(x509pop): ${message}` : message;
      await assert.rejects(exchange(await pair(), tamper), { kind, message: expected });
    });
  }

  test('the answer that another challenge got', async () => {
    let first: Uint8Array | undefined;
    const replay = (answer: Uint8Array) => (first ??= answer);
    const attestors = await pair();
    await exchange(attestors, replay);
    await assert.rejects(exchange(attestors, replay), {
      kind: 'denied',
      message: `nodeattestor(x509pop): ${failed('ECDSA signature verify failed')}`,
    });
  });

  test('the answer of an RSA key: another kind, a changed signature', async () => {
    const keys = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const holder = await leafOf(root, 'spiffe://exchange.test/x', {
      publicKey: keys.publicKey.export({ type: 'spki', format: 'der' }),
    });
    const key = await file('rsa.key', keys.privateKey.export({ type: 'pkcs8', format: 'pem' }));
    const chain = await file('rsa.pem', pem(holder));
    const attestors = {
      agent: await agent(`private_key_path = "${key}"\ncertificate_path = "${chain}"`),
      server: await ownRoots(),
    };
    const tampers: [(answer: Uint8Array) => Uint8Array, string][] = [
      [edited(() => ({})), 'expecting RSA response'],
      [
        edited((m) => ({ rsa_signature: { ...m.rsa_signature, nonce: '' } })),
        'invalid response nonce',
      ],
      [
        edited((m) => ({
          rsa_signature: { ...m.rsa_signature, signature: b64(Buffer.alloc(256, 1)) },
        })),
        'RSA signature verify failed',
      ],
      [
        edited((m) => ({ rsa_signature: { ...m.rsa_signature, signature: '' } })),
        'RSA signature verify failed',
      ],
    ];
    for (const [tamper, why] of tampers) {
      await assert.rejects(exchange(attestors, tamper), {
        kind: 'denied',
        message: `nodeattestor(x509pop): ${failed(why)}`,
      });
    }
  });

  const challenges: [challenge: unknown, message: string | RegExp][] = [
    ['x', /unable to unmarshal challenge: ./],
    [
      { rsa_signature: { nonce: 'AA==' } },
      'failed to calculate challenge response: expecting ECDSA challenge',
    ],
    [
      { ECDSA_Signature: { Nonce: 'AA==' } },
      'failed to calculate challenge response: invalid challenge nonce',
    ],
    [
      { ecdsa_signature: null },
      'failed to calculate challenge response: expecting ECDSA challenge',
    ],
    [{ ecdsa_signature: 1 }, /unable to unmarshal challenge: ./],
  ];
  for (const [challenge, message] of challenges) {
    test(`the agent refuses the challenge ${JSON.stringify(challenge)}`, async () => {
      const attestation = await (await nodeAgent()).begin(new AbortController().signal);
      const expected = typeof message === 'string' ? `nodeattestor(x509pop): ${message}` : message;
      await assert.rejects(attestation.answer(json(challenge)), {
        kind: 'internal',
        message: expected,
      });
    });
  }
});

describe('x509pop with verify_client_ip', () => {
  /** A subjectAltName cannot be made here; OpenSSL's reading of it can be checked with a certificate that has one. */
  test('compares the address with the IP SANs of the leaf', async () => {
    const { verifyClientIp } = await import('./verify-client-ip.ts');
    const leaf = new X509Certificate(IP_CERTIFICATE).raw;
    for (const ip of ['192.0.2.1', '::ffff:192.0.2.1', '2001:db8::1', '2001:0DB8:0::1']) {
      verifyClientIp(leaf, ip);
    }
    for (const ip of ['192.0.2.2', '::1', '::ffff:192.0.2.2']) {
      assert.throws(() => verifyClientIp(leaf, ip), {
        kind: 'denied',
        message: `client IP ${ip} does not match any certificate IP SAN`,
      });
    }
  });

  const refused: [ip: string | undefined, kind: FaultKind, message: string][] = [
    [undefined, 'internal', 'client IP not available for verification'],
    ['', 'internal', 'client IP not available for verification'],
    ['localhost', 'internal', 'invalid client IP "localhost"'],
    ['127.0.0.1', 'denied', 'client IP 127.0.0.1 does not match any certificate IP SAN'],
  ];
  for (const [clientIp, kind, message] of refused) {
    test(`refuses ${JSON.stringify(clientIp)}, before it challenges`, async () => {
      const attestor = await server(
        `ca_bundle_path = "${at('root.pem')}"\nverify_client_ip = true`,
      );
      const { payload } = await (await nodeAgent()).begin(new AbortController().signal);
      const attested = attestor.attest(payload, {
        challenge: () => assert.fail('nothing to prove'),
        clientIp,
        signal: new AbortController().signal,
      });
      await assert.rejects(attested, { kind, message: `nodeattestor(x509pop): ${message}` });
    });
  }
});

const REFUSED = 'rpc error: code = InvalidArgument desc = ';

describe("the configuration of x509pop's server", () => {
  const refused: [hcl: () => string, message: string | RegExp][] = [
    [() => '', 'one of ca_bundle_path or ca_bundle_paths must be configured'],
    [() => 'ca_bundle_paths = []', 'one of ca_bundle_path or ca_bundle_paths must be configured'],
    [() => 'mode = "other"', 'mode can only be either spiffe or external_pki'],
    [
      () => `ca_bundle_path = "${at('root.pem')}"\nca_bundle_paths = ["${at('root.pem')}"]`,
      'only one of ca_bundle_path or ca_bundle_paths can be configured, not both',
    ],
    [
      () => `mode = "spiffe"\nca_bundle_path = "${at('root.pem')}"`,
      'you can not use ca_bundle_path or ca_bundle_paths in spiffe mode',
    ],
    [
      () => `ca_bundle_path = "${at('nope.pem')}"`,
      /^unable to load trust bundle "\S+nope.pem": open \S+nope.pem: no such file or directory$/,
    ],
    [
      () => `ca_bundle_path = "${at('node.key')}"`,
      /^unable to load trust bundle "\S+node.key": no certificates found in file$/,
    ],
    [
      () => `ca_bundle_path = "${at('root.pem')}"\nmax_intermediates = 0`,
      'max_intermediates must be greater than 0',
    ],
    [
      () => `ca_bundle_path = "${at('root.pem')}"\nmax_rsa_key_size = -1`,
      'max_rsa_key_size must be greater than 0',
    ],
    [() => 'mode = []', /^unable to decode configuration: ./],
    [
      () => 'mode = "spiffe"\nagent_path_template = "/{{ .PluginName }}/{{ .Fingerprint }}"',
      'agent_path_template "/{{ .PluginName }}/{{ .Fingerprint }}" is not supported by this version; leave it out or set it to the default "/{{ .PluginName }}/{{ .SVIDPathTrimmed }}"',
    ],
    [
      () =>
        `ca_bundle_path = "${at('root.pem')}"\nagent_path_template = "/x/{{ .Subject.CommonName }}"`,
      /^agent_path_template ".*" is not supported by this version/,
    ],
  ];
  for (const [hcl, message] of refused) {
    test(`refuses: ${String(message)}`, async () => {
      const expected =
        typeof message === 'string'
          ? `failed to configure plugin "x509pop": ${REFUSED}${message}`
          : new RegExp(
              `^failed to configure plugin "x509pop": ${REFUSED}${message.source.replace('^', '')}`,
            );
      await assert.rejects(server(hcl()), { kind: 'invalid', message: expected });
    });
  }

  test('tells the block of a CA file that cannot be parsed', async () => {
    const path = await file('bad.pem', pem(root) + writePem('CERTIFICATE', Buffer.from('x')));
    await assert.rejects(server(`ca_bundle_path = "${path}"`), {
      message: /unable to load trust bundle "\S+": unable to parse certificate in block 1: ./,
    });
  });

  test('takes the default template', async () => {
    await server(
      `ca_bundle_path = "${at('root.pem')}"\nagent_path_template = "/{{ .PluginName}}/{{.Fingerprint }}"`,
    );
  });
});

describe("the configuration of x509pop's agent", () => {
  const key = () => `private_key_path = "${at('node.key')}"`;
  const chain = () => `certificate_path = "${at('node.pem')}"`;
  const refused: [hcl: () => string, message: string | RegExp][] = [
    [() => '', 'private_key_path is required'],
    [key, 'certificate_path is required'],
    [chain, 'private_key_path is required'],
    [
      () => `${key()}\ncertificate_path = "${at('nope.pem')}"`,
      /^unable to load keypair: open \S+nope.pem: no such file or directory$/,
    ],
    [
      () => `${chain()}\nprivate_key_path = "${at('nope.key')}"`,
      /^unable to load keypair: open \S+nope.key: no such file or directory$/,
    ],
    [
      () => `${chain()}\nprivate_key_path = "${at('root.pem')}"`,
      /^unable to load keypair: \S+root.pem holds no private key in PEM that we can read$/,
    ],
    [
      () => `${key()}\ncertificate_path = "${at('root.pem')}"`,
      'unable to load keypair: private key does not match public key',
    ],
    [
      () => `${key()}\n${chain()}\nintermediates_path = "${at('node.key')}"`,
      'unable to load intermediate certificates: no certificates found in file',
    ],
    [() => 'private_key_path = []', /^unable to decode configuration: ./],
  ];
  for (const [hcl, message] of refused) {
    test(`refuses: ${String(message)}`, async () => {
      const expected =
        typeof message === 'string'
          ? `failed to configure plugin "x509pop": ${REFUSED}${message}`
          : new RegExp(
              `^failed to configure plugin "x509pop": ${REFUSED}${message.source.replace('^', '')}`,
            );
      await assert.rejects(agent(hcl()), { kind: 'invalid', message: expected });
    });
  }

  test('asks a Workload API only when it attests, and says when there is none', async () => {
    const attestor = await agent(`spiffe_endpoint_socket = "unix://${at('nope.sock')}"`);
    await assert.rejects(attestor.begin(new AbortController().signal), {
      kind: 'unavailable',
      message: /^nodeattestor\(x509pop\): unable to fetch SVID from workload API: ./,
    });
  });
});
