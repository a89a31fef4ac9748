import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Holder, rootAuthority } from '../../../../test/kit/certificates.ts';
import { type Answers, fakeService, runCommand } from '../../../../test/kit/run-command.ts';
import { Fault } from '../../../base/fault.ts';
import { writePem } from '../../../crypto/pem.ts';
import {
  Bundle,
  BatchDeleteFederatedBundleRequest_Mode as Mode,
} from '../../../wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import type { Bundle as BundleMessage } from '../../../wire/gen/spire/api/types/bundle_pb.ts';
import type { Command } from '../../kit/command.ts';
import { bundleCount } from './count.ts';
import { bundleDelete } from './delete.ts';
import { bundleList } from './list.ts';
import { bundleSet } from './set.ts';
import { bundleShow } from './show.ts';

let folder = '';
let one: Holder;
let two: Holder;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bundle-'));
  [one, two] = await Promise.all([rootAuthority('one'), rootAuthority('two')]);
});
after(() => rm(folder, { recursive: true }));

async function run(command: Command, args: string, answers: Answers<typeof Bundle>, stdin = '') {
  const { code, stdout, stderr } = await runCommand(command, args.split(' ').filter(Boolean), {
    services: [fakeService(Bundle, answers)],
    stdin,
  });
  return { code, stdout, stderr };
}
const good = (stdout: string) => ({ code: 0, stdout, stderr: '' });
const bad = (reason: string) => ({ code: 1, stdout: '', stderr: `Error: ${reason}\n` });

const x509 = (holder: Holder) => ({ asn1: holder.certificate.der, tainted: false });
const pem = (holder: Holder) => writePem('CERTIFICATE', holder.certificate.der);
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
const fail = () => {
  throw new Fault('not-found', 'bundle not found');
};
const NOT_FOUND = 'rpc error: code = NotFound desc = bundle not found';

test('bundle show prints PEM, a bundle document, or JSON', async () => {
  const answers: Answers<typeof Bundle> = {
    getBundle: () => ({
      trustDomain: 'td',
      x509Authorities: [x509(one), x509(two)],
      jwtAuthorities: [{ publicKey: one.key.publicKey.spki, keyId: 'K', expiresAt: 5n }],
      sequenceNumber: 42n,
      refreshHint: 60n,
    }),
  };
  assert.deepEqual(await run(bundleShow, '', answers), good(pem(one) + pem(two)));
  assert.deepEqual(await run(bundleShow, '-format PEM', answers), good(pem(one) + pem(two)));
  const document = await run(bundleShow, '-format spiffe', answers);
  assert.match(
    document.stdout,
    /^\{\n {4}"keys": \[\n {8}\{\n {12}"use": "x509-svid",\n {12}"kty": "EC",\n[^]*"kid": "K",[^]*\n {4}\],\n {4}"spiffe_sequence": 42,\n {4}"spiffe_refresh_hint": 60\n\}\n$/,
  );
  assert.deepEqual(
    await run(bundleShow, '-output json -format nonsense', answers),
    good(
      `{"jwt_authorities":[{"expires_at":"5","key_id":"K","public_key":"${base64(one.key.publicKey.spki)}","tainted":false}],` +
        `"refresh_hint":"60","sequence_number":"42","trust_domain":"td","wit_authorities":[],` +
        `"x509_authorities":[{"asn1":"${base64(one.certificate.der)}","tainted":false},{"asn1":"${base64(two.certificate.der)}","tainted":false}]}\n`,
    ),
  );
  assert.deepEqual(await run(bundleShow, '-format Der', answers), bad('invalid format: "der"'));
  assert.deepEqual(await run(bundleShow, '', { getBundle: fail }), bad(NOT_FOUND));
});

test('bundle list heads each bundle with its trust domain', async () => {
  const listing = (...bundles: [string, Holder][]): Answers<typeof Bundle> => ({
    listFederatedBundles: () => ({
      bundles: bundles.map(([trustDomain, holder]) => ({
        trustDomain,
        x509Authorities: [x509(holder)],
      })),
    }),
  });
  const rule = '****************************************\n';
  assert.deepEqual(
    await run(bundleList, '', listing(['b.test', one], ['c.test', two])),
    good(`${rule}* b.test\n${rule}${pem(one)}\n${rule}* c.test\n${rule}${pem(two)}`),
  );
  assert.deepEqual(await run(bundleList, '-format nonsense', listing()), good(''));
  assert.deepEqual(
    await run(bundleList, '-output json', listing()),
    good('{"bundles":[],"next_page_token":""}\n'),
  );
  assert.deepEqual(
    await run(bundleList, '-format nonsense', listing(['b.test', one])),
    bad('invalid format: "nonsense"'),
  );
  assert.deepEqual(await run(bundleList, '', { listFederatedBundles: fail }), bad(NOT_FOUND));
});

test('bundle list -id shows one, without a head', async () => {
  const answers: Answers<typeof Bundle> = {
    getFederatedBundle: ({ trustDomain }) => ({ trustDomain, x509Authorities: [x509(one)] }),
  };
  assert.deepEqual(await run(bundleList, '-id spiffe://b.test', answers), good(pem(one)));
  const json = await run(bundleList, '-id spiffe://b.test -output json', answers);
  assert.match(json.stdout, /"trust_domain":"spiffe:\/\/b.test"/);
  assert.deepEqual(await run(bundleList, '-id x', { getFederatedBundle: fail }), bad(NOT_FOUND));
});

test('bundle count knows one and many', async () => {
  for (const [count, text] of [
    [0, '0 bundles\n'],
    [1, '1 bundle\n'],
    [2, '2 bundles\n'],
  ] as const) {
    assert.deepEqual(await run(bundleCount, '', { countBundles: () => ({ count }) }), good(text));
  }
  const answers = { countBundles: () => ({ count: 2 }) };
  assert.deepEqual(await run(bundleCount, '-output json', answers), good('{"count":2}\n'));
});

/** A server that takes every bundle and keeps what it was sent. */
function keeper() {
  const kept: BundleMessage[] = [];
  const answers: Answers<typeof Bundle> = {
    batchSetFederatedBundle({ bundle }) {
      kept.push(...bundle);
      return {
        results: bundle.map((each) => ({ status: { code: 0, message: 'OK' }, bundle: each })),
      };
    },
  };
  return { kept, answers };
}

test('bundle set reads PEM from a file, text around the blocks included', async () => {
  const { kept, answers } = keeper();
  const path = join(folder, 'bundle.pem');
  await writeFile(path, `first\n${pem(one)}second\n${pem(two)}`);
  const said = await run(bundleSet, `-id spiffe://b.test -path ${path}`, answers);
  assert.deepEqual(said, good('bundle set.\n'));
  assert.equal(kept[0]?.trustDomain, 'spiffe://b.test');
  assert.deepEqual(
    kept[0].x509Authorities.map(({ asn1 }) => base64(asn1)),
    [base64(one.certificate.der), base64(two.certificate.der)],
  );
});

test('bundle set reads a bundle document from standard input', async () => {
  const { kept, answers } = keeper();
  const shown = await run(bundleShow, '-format spiffe', {
    getBundle: () => ({
      trustDomain: 'td',
      x509Authorities: [x509(one)],
      jwtAuthorities: [{ publicKey: one.key.publicKey.spki, keyId: 'K' }],
      refreshHint: 60n,
      sequenceNumber: 7n,
    }),
  });
  const args = '-id spiffe://b.test -format SPIFFE -output json';
  const said = await run(bundleSet, args, answers, shown.stdout);
  assert.match(
    said.stdout,
    /^\{"results":\[\{"bundle":\{.*\},"status":\{"code":0,"message":"OK"\}\}\]\}\n$/,
  );
  assert.equal(kept[0]?.trustDomain, 'b.test');
  assert.equal(kept[0].refreshHint, 60n);
  assert.equal(kept[0].sequenceNumber, 7n);
  assert.equal(kept[0].jwtAuthorities[0]?.keyId, 'K');
  assert.equal(kept[0].x509Authorities.length, 1);
});

const setRefusals: readonly [args: string, stdin: string, reason: string | RegExp][] = [
  ['-format nonsense', '', 'id flag is required'],
  ['-id b.test -format Nonsense -path /nosuch', '', 'invalid format: "nonsense"'],
  [
    '-id b.test -path /nosuch',
    '',
    'unable to load bundle data: open /nosuch: no such file or directory',
  ],
  ['-id b.test', 'text', 'unable to parse bundle data: no PEM blocks'],
  [
    '-id b.test',
    writePem('PUBLIC KEY', new Uint8Array([1])),
    'unable to parse bundle data: expected block type "CERTIFICATE"; got "PUBLIC KEY"',
  ],
  [
    '-id b.test',
    writePem('CERTIFICATE', new Uint8Array([1])),
    /unable to parse bundle data: unable to parse "CERTIFICATE" PEM block 1: x509: malformed/,
  ],
  [
    '-id B -format spiffe',
    '{}',
    'trust domain characters are limited to lowercase letters, numbers, dots, dashes, and underscores',
  ],
  [
    '-id b.test -format spiffe',
    '{}',
    'unable to parse to spiffe bundle: spiffebundle: no authorities found',
  ],
  [
    '-id b.test -format spiffe',
    'x',
    /unable to parse to spiffe bundle: spiffebundle: unable to parse JWKS: /,
  ],
];
for (const [args, stdin, reason] of setRefusals) {
  test(`bundle set refuses ${args} with ${stdin.slice(0, 30)}`, async () => {
    const said = await run(bundleSet, args, {}, stdin);
    if (typeof reason === 'string') assert.deepEqual(said, bad(reason));
    else assert.match(said.stderr, reason);
    assert.equal(said.code, 1);
  });
}

test('bundle set tells what the server says', async () => {
  const refused: Answers<typeof Bundle> = {
    batchSetFederatedBundle: () => ({ results: [{ status: { code: 3, message: 'not this' } }] }),
  };
  const said = await run(bundleSet, '-id td', refused, pem(one));
  assert.deepEqual(said, bad('failed to set federated bundle: not this'));
  assert.deepEqual(
    await run(bundleSet, '-id td -output json', refused, pem(one)),
    good('{"results":[{"status":{"code":3,"message":"not this"}}]}\n'),
  );
  assert.deepEqual(
    await run(bundleSet, '-id td', { batchSetFederatedBundle: fail }, pem(one)),
    bad(`failed to set federated bundle: ${NOT_FOUND}`),
  );
});

test('bundle delete names the trust domain and the mode', async () => {
  const asked: [string[], Mode][] = [];
  const answers: Answers<typeof Bundle> = {
    batchDeleteFederatedBundle({ trustDomains, mode }) {
      asked.push([trustDomains, mode]);
      return { results: [{ status: { code: 0, message: 'OK' }, trustDomain: 'b.test' }] };
    },
  };
  for (const mode of ['', '-mode restrict', '-mode=', '-mode delete', '-mode dissociate']) {
    const said = await run(bundleDelete, `-id spiffe://b.test ${mode}`, answers);
    assert.deepEqual(said, good('bundle deleted.\n'));
  }
  const { RESTRICT, DELETE, DISSOCIATE } = Mode;
  assert.deepEqual(
    asked.map(([, mode]) => mode),
    [RESTRICT, RESTRICT, RESTRICT, DELETE, DISSOCIATE],
  );
  assert.deepEqual(asked[0]?.[0], ['spiffe://b.test']);
  assert.deepEqual(
    await run(bundleDelete, '-id b.test -output json', answers),
    good('{"results":[{"status":{"code":0,"message":"OK"},"trust_domain":"b.test"}]}\n'),
  );
});

test('bundle delete refuses and fails with words', async () => {
  const refused: Answers<typeof Bundle> = {
    batchDeleteFederatedBundle: () => ({
      results: [{ status: { code: 9, message: 'in use' }, trustDomain: 'b.test' }],
    }),
  };
  assert.deepEqual(await run(bundleDelete, '', refused), bad('id is required'));
  assert.deepEqual(
    await run(bundleDelete, '-id b.test -mode maybe', refused),
    bad('unsupported mode "maybe"'),
  );
  assert.deepEqual(
    await run(bundleDelete, '-id b.test', refused),
    bad('failed to delete federated bundle "b.test": in use'),
  );
  assert.deepEqual(
    await run(bundleDelete, '-id b.test', { batchDeleteFederatedBundle: fail }),
    bad(`failed to delete federated bundle: ${NOT_FOUND}`),
  );
});
