import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { type Program, runProgram, startProgram } from '../kit/programs.ts';
import { missing } from '../kit/toolchain.ts';
import { startTrustDomain, type TrustDomainProcesses } from '../kit/trust-domain.ts';

/** A uid that no entry matches. */
const STRANGER = 65534;
const OWN = `unix:uid:${process.getuid?.() ?? 0}`;

describe('go-spiffe', { skip: missing('go') }, () => {
  let folder: string;
  let client: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'go-spiffe-'));
    // A stranger runs it too.
    await chmod(folder, 0o755);
    client = join(folder, 'client');
    const built = await runProgram(['go', 'build', '-o', client, '.'], {
      cwd: join(import.meta.dirname, 'go-spiffe'),
    });
    assert.equal(built.code, 0, built.stderr);
  });
  after(() => rm(folder, { recursive: true, force: true }));

  const env = (domain: TrustDomainProcesses) => ({
    SPIFFE_ENDPOINT_SOCKET: `unix://${domain.agentSocket}`,
  });

  async function run(domain: TrustDomainProcesses, scenario: string): Promise<object[]> {
    const { code, stdout, stderr } = await runProgram([client, scenario], { env: env(domain) });
    assert.equal(code, 0, stderr);
    return facts(stdout);
  }

  async function domainWithWeb(t: TestContext, ...flags: readonly string[]) {
    const domain = await startTrustDomain(t, { server: 'ca_ttl = "24h"' });
    await domain.createEntry(
      '/web',
      [OWN],
      '-dns',
      'web.example.test',
      '-hint',
      'internal',
      ...flags,
    );
    await served(domain);
    return domain;
  }

  /** Until the agent has heard of the entry. */
  async function served(domain: TrustDomainProcesses): Promise<void> {
    const deadline = Date.now() + 30_000;
    for (;;) {
      const { stdout } = await runProgram([client, 'refused'], { env: env(domain) });
      const [refusal] = facts(stdout) as { code: string }[];
      if (refusal?.code === 'OK') return;
      assert.ok(Date.now() < deadline, 'the agent did not hear of the entry');
    }
  }

  test('an X509Source gives an SVID that verifies, with its hint and DNS name', async (t) => {
    const domain = await domainWithWeb(t, '-x509SVIDTTL', '600');
    const [svid] = await run(domain, 'x509');
    const { seconds, ...rest } = svid as { seconds: number };
    assert.deepEqual(rest, {
      id: 'spiffe://example.test/web',
      hint: 'internal',
      dns: ['web.example.test'],
      chains: 1,
    });
    // The certificate begins some seconds in the past, for clocks that are behind.
    assert.ok(seconds >= 600 && seconds <= 620, `${seconds} s`);
  });

  test('two ends talk mTLS, each naming the other', async (t) => {
    const domain = await domainWithWeb(t);
    const id = 'spiffe://example.test/web';
    assert.deepEqual(await run(domain, 'mtls'), [{ clientSaw: id, serverSaw: id }]);
  });

  test('a JWTSource gives a token that validates offline and online', async (t) => {
    const domain = await domainWithWeb(t);
    assert.deepEqual(await run(domain, 'jwt'), [
      {
        id: 'spiffe://example.test/web',
        online: 'spiffe://example.test/web',
        audience: ['reports'],
        wrongAudience: 'InvalidArgument',
      },
    ]);
  });

  test('bundles hold the authorities of the trust domain', async (t) => {
    const domain = await domainWithWeb(t);
    assert.deepEqual(await run(domain, 'bundles'), [
      { x509: 'example.test', authorities: 1 },
      { jwt: 'example.test', authorities: 1 },
    ]);
  });

  test('a watch follows the rotation of an SVID', async (t) => {
    // An SVID of 12 s is renewed after about 6.
    const domain = await domainWithWeb(t, '-x509SVIDTTL', '12');
    const watch: Program = startProgram(t, [client, 'watch'], { env: env(domain) });
    const { code } = await watch.exited;
    assert.equal(code, 0, watch.stderr);
    const updates = facts(watch.stdout) as { serial: string; verifies: boolean }[];
    assert.ok(updates.every(({ verifies }) => verifies));
    assert.equal(new Set(updates.map(({ serial }) => serial)).size, 2);
  });

  test('a process that no entry matches is told so', async (t) => {
    const domain = await domainWithWeb(t);
    const { stdout } = await runProgram([client, 'refused'], {
      env: env(domain),
      ...(process.getuid?.() === 0 ? { uid: STRANGER, gid: STRANGER } : {}),
    });
    const [refusal] = facts(stdout);
    assert.deepEqual(refusal, { code: 'PermissionDenied', message: 'no identity issued' });
  });
});

const facts = (text: string): object[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as object);
