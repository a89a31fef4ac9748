import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { NOW } from '../../../../test/kit/certificates.ts';
import { VirtualClock } from '../../../../test/kit/clock.ts';
import { type Answers, fakeService, runCommand } from '../../../../test/kit/run-command.ts';
import { Fault } from '../../../base/fault.ts';
import { publicKeyFromJwk } from '../../../crypto/jose/jwk.ts';
import { signJws } from '../../../crypto/jose/jws.ts';
import { generateKey } from '../../../crypto/keys.ts';
import { SVID } from '../../../wire/gen/spire/api/server/svid/v1/svid_pb.ts';
import { witMint } from './mint.ts';

let folder = '';
let token = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wit-'));
  const payload = { exp: NOW + 3600 };
  token = await signJws({ header: {}, payload }, await generateKey('ec-p256'), 'ES256');
});
after(() => rm(folder, { recursive: true }));

type Asked = { signingAlgorithm: string; publicKey: Uint8Array; ttl: number };

async function run(args: string, answers: Answers<typeof SVID> = {}) {
  const asked: Asked[] = [];
  const services = [
    fakeService(SVID, {
      mintWITSVID(request) {
        asked.push(request);
        return {
          svid: { token, id: { trustDomain: 'td', path: '/w' }, expiresAt: 7200n, issuedAt: 3600n },
        };
      },
      ...answers,
    }),
  ];
  const clock = new VirtualClock(NOW * 1000);
  const { code, stdout, stderr } = await runCommand(witMint, args.split(' ').filter(Boolean), {
    services,
    clock,
  });
  return { code, stdout, stderr, asked };
}

const refused = (reason: string) => ({
  code: 1,
  stdout: '',
  stderr: `Error: ${reason}\n`,
  asked: [],
});

for (const [keyType, algorithm, members] of [
  ['ec-p256', 'ES256', 'kty,crv,x,y,d'],
  ['ec-p384', 'ES384', 'kty,crv,x,y,d'],
  ['rsa-2048', 'RS256', 'kty,n,e,d,p,q,dp,dq,qi'],
  ['rsa-2048', 'PS512', 'kty,n,e,d,p,q,dp,dq,qi'],
] as const) {
  test(`a ${keyType} key for ${algorithm} is made, told to the server, and printed`, async () => {
    const { stdout, asked, code, stderr } = await run(
      `-spiffeID spiffe://td/w -keyType ${keyType} -signingAlgorithm ${algorithm} -ttl 59m59.5s`,
    );
    assert.deepEqual([code, stderr], [0, '']);
    const [first, second, ...more] = stdout.split('\n');
    assert.equal(first, token);
    assert.deepEqual(more, ['']);
    const jwk = JSON.parse(second ?? '') as Record<string, string>;
    assert.equal(Object.keys(jwk).join(','), members);
    const [request] = asked;
    assert.deepEqual(publicKeyFromJwk(jwk), Uint8Array.from(request?.publicKey ?? []));
    assert.equal(request?.signingAlgorithm, algorithm);
    assert.equal(request?.ttl, 3600);
  });
}

test('in JSON times are numbers, and what is empty is left out', async () => {
  const { stdout } = await run('-spiffeID spiffe://td/w -output json');
  const { private_key: key } = JSON.parse(stdout) as { private_key: string };
  assert.equal(
    stdout,
    `${JSON.stringify({
      private_key: key,
      svid: { token, id: { trust_domain: 'td', path: '/w' }, expires_at: 7200, issued_at: 3600 },
    })}\n`,
  );
  assert.match(key, /^\{"kty":"EC","crv":"P-256","x":"[^"]+","y":"[^"]+","d":"[^"]+"\}$/);
});

test('token and key are written for nobody else to read', async () => {
  const { stdout, code } = await run(`-spiffeID spiffe://td/w -write ${folder}`);
  assert.deepEqual(
    [code, stdout],
    [0, `WIT-SVID written to ${folder}/token\nPrivate key written to ${folder}/key\n`],
  );
  assert.equal(await readFile(join(folder, 'token'), 'utf8'), token);
  assert.equal(JSON.parse(await readFile(join(folder, 'key'), 'utf8')).kty, 'EC');
  for (const name of ['token', 'key']) {
    assert.equal((await stat(join(folder, name))).mode & 0o777, 0o600);
  }
});

test('a life shorter than asked for is remarked', async () => {
  const { stderr, code } = await run('-spiffeID spiffe://td/w -ttl 2h');
  assert.equal(code, 0);
  assert.match(stderr, /^WIT-SVID lifetime was capped shorter than specified ttl; expires "/);
});

test('a token that cannot be read is printed, with a remark', async () => {
  const { stderr, stdout, code } = await run('-spiffeID spiffe://td/w', {
    mintWITSVID: () => ({ svid: { token: 'no token' } }),
  });
  assert.equal(code, 0);
  assert.match(stderr, /^Unable to determine WIT-SVID lifetime: ./);
  assert.match(stdout, /^no token\n/);
});

const refusals: [args: string, reason: string][] = [
  ['', 'spiffeID must be specified'],
  ['-spiffeID bad', 'scheme is missing or invalid'],
  [
    '-spiffeID spiffe://td/w -ttl 2000000h',
    'invalid value for TTL: overflow converting time.Duration(7.2s) to int32',
  ],
  ['-spiffeID spiffe://td/w -signingAlgorithm ES512', 'unsupported signing algorithm: ES512'],
  ['-spiffeID spiffe://td/w -signingAlgorithm es256', 'unsupported signing algorithm: es256'],
  [
    '-spiffeID spiffe://td/w -signingAlgorithm RS512',
    "unsupported key type 'ec-p256' for signing algorithm 'RS512'",
  ],
  [
    '-spiffeID spiffe://td/w -keyType rsa-2048',
    "unsupported key type 'rsa-2048' for 'ES256' signing algorithm",
  ],
  [
    '-spiffeID spiffe://td/w -keyType foo -signingAlgorithm ES384',
    "unsupported key type 'foo' for 'ES384' signing algorithm",
  ],
];
for (const [args, reason] of refusals) {
  test(`wit mint ${args} is refused before the server is asked`, async () => {
    assert.deepEqual(await run(args), refused(reason));
  });
}

test('what the server refuses, or does not answer, is told', async () => {
  const denied = await run('-spiffeID spiffe://td/w', {
    mintWITSVID() {
      throw new Fault('unimplemented', 'WIT functionality is disabled');
    },
  });
  assert.deepEqual(
    denied,
    refused(
      'unable to mint SVID: rpc error: code = Unimplemented desc = WIT functionality is disabled',
    ),
  );
  const silent = await run('-spiffeID spiffe://td/w', { mintWITSVID: () => ({}) });
  assert.deepEqual(silent, refused('server response missing token'));
});

test('a folder that is not there is told with what could not be written', async () => {
  const { stderr, code } = await run(`-spiffeID spiffe://td/w -write ${folder}/none`);
  assert.equal(code, 1);
  assert.equal(
    stderr,
    `Error: unable to write token: open ${folder}/none/token: no such file or directory\n`,
  );
});
