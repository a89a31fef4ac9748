import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Holder, leafOf, NOW, rootAuthority } from '../../../test/kit/certificates.ts';
import { VirtualClock } from '../../../test/kit/clock.ts';
import { type Answers, fakeService, runCommand } from '../../../test/kit/run-command.ts';
import { Fault } from '../../base/fault.ts';
import { parseCsr, verifyCsr } from '../../crypto/csr.ts';
import { readPrivateKey } from '../../crypto/keys.ts';
import { readPem, writePem } from '../../crypto/pem.ts';
import { Bundle } from '../../wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import { SVID } from '../../wire/gen/spire/api/server/svid/v1/svid_pb.ts';
import { jwtMint } from './jwt/mint.ts';
import { x509Mint } from './x509/mint.ts';

let folder = '';
let root: Holder;
let leaf: Holder;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mint-'));
  root = await rootAuthority('root');
  leaf = await leafOf(root, 'spiffe://td/w');
});
after(() => rm(folder, { recursive: true }));

const good = (stdout: string) => ({ code: 0, stdout, stderr: '' });
const bad = (reason: string) => ({ code: 1, stdout: '', stderr: `Error: ${reason}\n` });
const pem = (holder: Holder) => writePem('CERTIFICATE', holder.certificate.der);
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');

async function run(
  command: typeof x509Mint,
  args: string,
  svid: Answers<typeof SVID> = {},
  bundle: Answers<typeof Bundle> = {
    getBundle: () => ({ x509Authorities: [{ asn1: root.certificate.der }] }),
  },
) {
  const { code, stdout, stderr } = await runCommand(command, args.split(' ').filter(Boolean), {
    services: [fakeService(SVID, svid), fakeService(Bundle, bundle)],
    clock: new VirtualClock(NOW * 1000),
  });
  return { code, stdout, stderr };
}
const fail = () => {
  throw new Fault('internal', 'boom');
};
const BOOM = 'rpc error: code = Internal desc = boom';

/** A server that signs whatever it is asked to, for an hour. */
function minter(seconds = 3600) {
  const requests: { csr: Uint8Array; ttl: number }[] = [];
  const svid: Answers<typeof SVID> = {
    mintX509SVID(request) {
      requests.push(request);
      const expiresAt = BigInt(NOW + seconds);
      return { svid: { certChain: [leaf.certificate.der], expiresAt } };
    },
  };
  return { requests, svid };
}

test('x509 mint asks for what its flags say, with a key of its own', async () => {
  const { requests, svid } = minter();
  const args = '-spiffeID spiffe://td/w -dns one -dns two -ttl 59m59.5s';
  const { stdout, stderr, code } = await run(x509Mint, args, svid);
  const [request] = requests;
  assert.ok(request);
  const csr = parseCsr(request.csr);
  await verifyCsr(csr);
  assert.deepEqual(csr.uris, ['spiffe://td/w']);
  assert.deepEqual(csr.dnsNames, ['one', 'two']);
  assert.equal(request.ttl, 3600);
  const [certificate, key, ca] = readPem(stdout);
  assert.deepEqual(
    [certificate?.type, key?.type, ca?.type],
    ['CERTIFICATE', 'PRIVATE KEY', 'CERTIFICATE'],
  );
  assert.ok(key);
  assert.deepEqual(readPrivateKey(key.der).publicKey.spki, csr.publicKey.spki);
  assert.deepEqual(
    { code, stdout, stderr },
    good(
      `X509-SVID:\n${pem(leaf)}\nPrivate key:\n${writePem('PRIVATE KEY', key.der)}\nRoot CAs:\n${pem(root)}\n`,
    ),
  );
});

test('x509 mint prints a struct as JSON', async () => {
  const { stdout } = await run(x509Mint, '-spiffeID spiffe://td/w -output json', minter().svid);
  const [, key] = /"private_key":"([^"]+)"/.exec(stdout) ?? [];
  assert.equal(
    stdout,
    `{"x509_svid":["${base64(leaf.certificate.der)}"],"private_key":"${key}","root_cas":["${base64(root.certificate.der)}"]}\n`,
  );
});

test('x509 mint writes files, whatever the format', async () => {
  for (const format of ['pretty', 'json']) {
    const args = `-spiffeID spiffe://td/w -output ${format} -write ${folder}/.`;
    assert.deepEqual(
      await run(x509Mint, args, minter().svid),
      good(
        `X509-SVID written to ${folder}/svid.pem\nPrivate key written to ${folder}/key.pem\nRoot CAs written to ${folder}/bundle.pem\n`,
      ),
    );
  }
  assert.equal(await readFile(join(folder, 'svid.pem'), 'utf8'), pem(leaf));
  assert.equal(await readFile(join(folder, 'bundle.pem'), 'utf8'), pem(root));
  assert.equal(readPem(await readFile(join(folder, 'key.pem')))[0]?.type, 'PRIVATE KEY');
  const mode = async (name: string) => (await stat(join(folder, name))).mode & 0o777;
  assert.equal(await mode('key.pem'), 0o600);
  assert.equal((await mode('svid.pem')) & 0o600, 0o600);
});

test('x509 mint remarks that the SVID lives shorter than was asked for', async () => {
  const capped =
    'X509-SVID lifetime was capped shorter than specified ttl; expires "2027-01-15T08:10:00Z"\n';
  const { svid } = minter(600);
  const long = await run(x509Mint, '-spiffeID spiffe://td/w -ttl 601s', svid);
  assert.equal(long.stderr, capped);
  assert.equal(long.code, 0);
  for (const ttl of ['600s', '0']) {
    assert.equal((await run(x509Mint, `-spiffeID spiffe://td/w -ttl ${ttl}`, svid)).stderr, '');
  }
});

const ID = '-spiffeID spiffe://td/w';
const x509Refusals: readonly [
  args: string,
  svid: Answers<typeof SVID>,
  bundle: Answers<typeof Bundle> | undefined,
  reason: string,
][] = [
  ['', {}, undefined, 'spiffeID must be specified'],
  ['-spiffeID td/w', {}, undefined, 'scheme is missing or invalid'],
  [
    `${ID} -ttl 999999h`,
    {},
    undefined,
    'invalid value for TTL: overflow converting time.Duration(3.5999964s) to int32',
  ],
  [ID, { mintX509SVID: fail }, undefined, `unable to mint SVID: ${BOOM}`],
  [ID, { mintX509SVID: () => ({}) }, undefined, 'server response missing SVID chain'],
  [ID, minter().svid, { getBundle: fail }, `unable to get bundle: ${BOOM}`],
  [ID, minter().svid, { getBundle: () => ({}) }, 'server response missing X509 Authorities'],
  [
    `${ID} -write /nosuch`,
    minter().svid,
    undefined,
    'unable to write SVID: open /nosuch/svid.pem: no such file or directory',
  ],
];
for (const [args, svid, bundle, reason] of x509Refusals) {
  test(`x509 mint fails with ${reason}`, async () => {
    assert.deepEqual(await run(x509Mint, args, svid, bundle), bad(reason));
  });
}

/** A token that says when it ends; nobody here looks at its signature. */
const token = (claims: object): string =>
  [{ alg: 'ES256', kid: 'k' }, claims, 'signature']
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
const TOKEN = token({ sub: 'spiffe://td/w', aud: ['a'], exp: NOW + 300 });
const AUDIENCE = `${ID} -audience a`;
const mintJwt = (value: string): Answers<typeof SVID> => ({
  mintJWTSVID: () => ({
    svid: {
      token: value,
      id: { trustDomain: 'td', path: '/w' },
      issuedAt: BigInt(NOW),
      expiresAt: BigInt(NOW + 300),
    },
  }),
});

test('jwt mint sends what its flags say, and prints the token', async () => {
  const asked: unknown[] = [];
  const answers: Answers<typeof SVID> = {
    mintJWTSVID({ id, audience, ttl }) {
      asked.push([id?.path, audience, ttl]);
      return { svid: { token: TOKEN } };
    },
  };
  const args = `${ID} -audience a,b -audience c -ttl 60s`;
  assert.deepEqual(await run(jwtMint, args, answers), good(`${TOKEN}\n`));
  assert.deepEqual(asked, [['/w', ['a,b', 'c'], 60]]);
});

test('jwt mint prints JSON', async () => {
  assert.deepEqual(
    await run(jwtMint, `${AUDIENCE} -output json`, mintJwt(TOKEN)),
    good(
      `{"svid":{"expires_at":"${NOW + 300}","hint":"","id":{"path":"/w","trust_domain":"td"},"issued_at":"${NOW}","token":"${TOKEN}"}}\n`,
    ),
  );
});

test('jwt mint writes the token alone, for its owner alone', async () => {
  const path = join(folder, 'token');
  for (const format of ['pretty', 'json']) {
    assert.deepEqual(
      await run(jwtMint, `${AUDIENCE} -output ${format} -write ${path}`, mintJwt(TOKEN)),
      good(`JWT-SVID written to ${path}\n`),
    );
  }
  assert.equal(await readFile(path, 'utf8'), TOKEN);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
});

const jwtRemarks: readonly [why: string, value: string, args: string, remark: RegExp][] = [
  [
    'a shorter life',
    TOKEN,
    '-ttl 301s',
    /^JWT-SVID lifetime was capped shorter than specified ttl; expires "2027-01-15T08:05:00Z"\n$/,
  ],
  [
    'a life that is over',
    token({ sub: 's', exp: NOW - 1 }),
    '',
    /^JWT-SVID lifetime was capped shorter than specified ttl; expires "2027-01-15T07:59:59Z"\n$/,
  ],
  ['no end', token({ sub: 's' }), '', /^Unable to determine JWT-SVID lifetime: no expiry claim\n$/],
  ['no token', 'abc', '', /^Unable to determine JWT-SVID lifetime: .+\n$/],
];
for (const [why, value, args, remark] of jwtRemarks) {
  test(`jwt mint remarks on ${why}`, async () => {
    const said = await run(jwtMint, `${AUDIENCE} ${args}`, mintJwt(value));
    assert.equal(said.code, 0);
    assert.equal(said.stdout, `${value}\n`);
    assert.match(said.stderr, remark);
  });
}

const jwtRefusals: readonly [args: string, svid: Answers<typeof SVID>, reason: string][] = [
  ['-audience a', {}, 'spiffeID must be specified'],
  ['-spiffeID x', {}, 'at least one audience must be specified'],
  ['-spiffeID x -audience a', {}, 'scheme is missing or invalid'],
  [
    `${AUDIENCE} -ttl 1000000h`,
    {},
    'invalid value for TTL: overflow converting time.Duration(3.6s) to int32',
  ],
  [AUDIENCE, { mintJWTSVID: fail }, `unable to mint SVID: ${BOOM}`],
  [AUDIENCE, { mintJWTSVID: () => ({}) }, 'server response missing token'],
  [AUDIENCE, mintJwt(''), 'server response missing token'],
  [
    `${AUDIENCE} -write /nosuch/token`,
    mintJwt(TOKEN),
    'unable to write token: open /nosuch/token: no such file or directory',
  ],
];
for (const [args, svid, reason] of jwtRefusals) {
  test(`jwt mint fails with ${reason}`, async () => {
    assert.deepEqual(await run(jwtMint, args, svid), bad(reason));
  });
}
