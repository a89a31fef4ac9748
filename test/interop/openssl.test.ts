import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { TLSSocket } from 'node:tls';
import { runProgram } from '../kit/programs.ts';
import { svidFiles } from '../kit/svid-files.ts';
import { missing } from '../kit/toolchain.ts';

describe('openssl', { skip: missing('openssl') }, () => {
  test('verifies an SVID, and finds in it what SPIFFE wants', async (t) => {
    const { chain, key, bundle } = await svidFiles(t);
    const verify = await runProgram([
      'openssl',
      'verify',
      '-x509_strict',
      '-CAfile',
      bundle,
      chain,
    ]);
    assert.equal(verify.stdout, `${chain}: OK\n`, verify.stderr);
    const { stdout } = await runProgram(['openssl', 'x509', '-in', chain, '-noout', '-text']);
    assert.match(
      stdout,
      /X509v3 Key Usage: critical\n\s+Digital Signature, Key Encipherment, Key Agreement\n/,
    );
    assert.match(stdout, /TLS Web Server Authentication, TLS Web Client Authentication/);
    assert.match(stdout, /X509v3 Basic Constraints: critical\n\s+CA:FALSE/);
    assert.match(stdout, /DNS:localhost, URI:spiffe:\/\/example\.test\/web/);
    const fromKey = await runProgram(['openssl', 'pkey', '-in', key, '-pubout']);
    const fromLeaf = await runProgram(['openssl', 'x509', '-in', chain, '-noout', '-pubkey']);
    assert.equal(fromKey.stdout, fromLeaf.stdout);
  });

  test('refuses an SVID that another trust domain issued', async (t) => {
    const [own, other] = [await svidFiles(t), await svidFiles(t)];
    const verify = await runProgram(['openssl', 'verify', '-CAfile', other.bundle, own.chain]);
    assert.notEqual(verify.code, 0);
  });
});

describe('curl', { skip: missing('curl') }, () => {
  test('talks mTLS with SVIDs at both ends', async (t) => {
    const { chain, key, bundle } = await svidFiles(t);
    const [cert, keyPem, ca] = await Promise.all(
      [chain, key, bundle].map((path) => readFile(path)),
    );
    const server = createServer(
      { cert, key: keyPem, ca, requestCert: true },
      (request, response) => {
        const peer = request.socket instanceof TLSSocket ? request.socket.getPeerCertificate() : {};
        response.end('subjectaltname' in peer ? peer.subjectaltname : 'nobody');
      },
    );
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    t.after(() => server.close());
    const { port } = server.address() as AddressInfo;
    const url = `https://localhost:${port}/`;
    const at = [
      'curl',
      '-sS',
      '--noproxy',
      '*',
      '--cacert',
      bundle,
      '--resolve',
      `localhost:${port}:127.0.0.1`,
    ];
    const outcome = await runProgram([...at, '--cert', chain, '--key', key, url]);
    assert.equal(outcome.stdout, 'DNS:localhost, URI:spiffe://example.test/web', outcome.stderr);
    const without = await runProgram([...at, url]);
    assert.notEqual(without.code, 0);
  });
});
