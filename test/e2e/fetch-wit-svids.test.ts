import assert from 'node:assert/strict';
import { mkdir, readFile, stat } from 'node:fs/promises';
import { after, before, suite, test } from 'node:test';
import { publicKeyFromJwk } from '../../src/crypto/jose/jwk.ts';
import { parseJws, verifyJws } from '../../src/crypto/jose/jws.ts';
import { readPublicKey } from '../../src/crypto/keys.ts';
import { bundleJson } from '../kit/local-authority.ts';
import { type Outcome, runProgram, spireServer } from '../kit/programs.ts';
import { TrustDomainProcesses } from '../kit/trust-domain.ts';

/** SPIRE's scenario fetch-wit-svids. */
suite('a server with the feature flag wit-svid', () => {
  let domain: TrustDomainProcesses;
  before(async () => {
    domain = await TrustDomainProcesses.create({
      name: 'domain.test',
      server: `ca_ttl = "1h"
        default_x509_svid_ttl = "10m"
        default_jwt_svid_ttl = "10m"
        experimental { feature_flags = ["wit-svid"] wit_issuer = "https://wit.test" }`,
    });
    await domain.startServer();
  });
  after(() => domain[Symbol.asyncDispose]());

  const mint = (...flags: readonly string[]): Promise<Outcome> =>
    runProgram([spireServer, 'wit', 'mint', '-socketPath', domain.serverSocket, ...flags], {
      env: { SPIRE_SERVER_FFLAGS: 'wit-svid' },
    });
  const workload = ['-spiffeID', 'spiffe://domain.test/workload'];

  test('its bundle has a WIT key', async () => {
    assert.equal((await bundleJson(domain)).wit_authorities.length, 1);
    const { stdout } = await domain.runServer('bundle', 'show', '-format', 'spiffe');
    const { keys } = JSON.parse(stdout) as { keys: { use: string }[] };
    assert.deepEqual(
      keys.map(({ use }) => use),
      ['x509-svid', 'jwt-svid'],
      'which the SPIFFE document does not show',
    );
  });

  for (const [keyType, algorithm] of [
    ['ec-p256', 'ES256'],
    ['ec-p384', 'ES384'],
    ['rsa-2048', 'RS256'],
    ['rsa-4096', 'RS512'],
  ] as const) {
    for (const format of ['pretty', 'json']) {
      test(`a token for a ${keyType} key and ${algorithm}, ${format}`, async () => {
        const flags = ['-keyType', keyType, '-signingAlgorithm', algorithm, '-output', format];
        const { code, stdout, stderr } = await mint(...workload, ...flags);
        assert.equal(code, 0, stderr);
        const [token, key] = format === 'pretty' ? stdout.split('\n') : fromJson(stdout);
        const jws = parseJws(token ?? '');
        assert.equal(jws.header['typ'], 'wit+jwt');
        const claims = JSON.parse(Buffer.from(jws.payload).toString()) as {
          sub: string;
          iss: string;
          cnf: { jwk: Record<string, unknown> };
        };
        assert.equal(claims.sub, 'spiffe://domain.test/workload');
        assert.equal(claims.iss, 'https://wit.test');
        assert.equal(claims.cnf.jwk['alg'], algorithm);
        assert.deepEqual(
          publicKeyFromJwk(claims.cnf.jwk),
          publicKeyFromJwk(JSON.parse(key ?? '') as Record<string, unknown>),
        );
        assert.ok(await verifyJws(jws, await witKey(domain, String(jws.header['kid']))));
      });
    }
  }

  for (const [why, flags] of [
    ['an unknown algorithm', ['-signingAlgorithm', 'ES123']],
    ['an algorithm of other keys', ['-keyType', 'ec-p256', '-signingAlgorithm', 'RS256']],
  ] as const) {
    test(`no token for ${why}`, async () => {
      assert.equal((await mint(...workload, ...flags)).code, 1);
    });
  }

  test('a token of a minute, and one in files', async () => {
    assert.equal((await mint(...workload, '-ttl', '60s')).code, 0);
    const folder = domain.path('wit');
    await mkdir(folder);
    assert.equal((await mint(...workload, '-write', folder)).code, 0);
    parseJws(await readFile(`${folder}/token`, 'utf8'));
    assert.equal((await stat(`${folder}/key`)).mode & 0o777, 0o600);
  });

  test('its WIT key survives a restart', async () => {
    const { wit_authorities: keys } = await bundleJson(domain);
    await domain.restartServer();
    assert.deepEqual((await bundleJson(domain)).wit_authorities, keys);
    const { stdout } = await mint(...workload);
    assert.equal(parseJws(stdout.split('\n')[0] ?? '').header['kid'], keys[0]?.key_id);
  });
});

function fromJson(stdout: string): string[] {
  const { svid, private_key: key } = JSON.parse(stdout) as {
    svid: { token: string };
    private_key: string;
  };
  return [svid.token, key];
}

async function witKey(domain: TrustDomainProcesses, keyId: string) {
  const { stdout } = await domain.runServer('bundle', 'show', '-output', 'json');
  const { wit_authorities: keys } = JSON.parse(stdout) as {
    wit_authorities: { key_id: string; public_key: string }[];
  };
  const key = keys.find((one) => one.key_id === keyId);
  assert.ok(key);
  return readPublicKey(Buffer.from(key.public_key, 'base64'));
}

test('without the feature flag there is no WIT key, and no command', async (t) => {
  const domain = await TrustDomainProcesses.create();
  t.after(() => domain[Symbol.asyncDispose]());
  await domain.startServer();
  assert.deepEqual((await bundleJson(domain)).wit_authorities, []);
  const flags = ['-spiffeID', domain.id('/w'), '-socketPath', domain.serverSocket];
  assert.equal((await runProgram([spireServer, 'wit', 'mint', ...flags])).code, 127);
  const told = await runProgram([spireServer, 'wit', 'mint', ...flags], {
    env: { SPIRE_SERVER_FFLAGS: 'wit-svid' },
  });
  assert.equal(
    told.stderr,
    'Error: unable to mint SVID: rpc error: code = Unimplemented desc = WIT functionality is disabled\n',
  );
});
