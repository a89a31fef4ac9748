import assert from 'node:assert/strict';
import { type AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { createServer } from 'node:tls';
import { NOW, rootAuthority } from '../../test/kit/certificates.ts';
import { writePem } from '../crypto/pem.ts';
import { Bundle } from '../wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import { dial } from './dial.ts';

const root = await rootAuthority('server', { notBefore: 0, notAfter: NOW * 2 });

/** A TLS server that agrees on keys in these ways only, and then hangs up. */
async function serve(
  t: TestContext,
  groups: string,
): Promise<{ address: string; shaken: () => number }> {
  let shaken = 0;
  const server = createServer({
    cert: writePem('CERTIFICATE', root.certificate.der),
    key: writePem('PRIVATE KEY', root.key.toPkcs8()),
    ecdhCurve: groups,
    ALPNProtocols: ['h2'],
  });
  server.on('secureConnection', (socket) => {
    shaken++;
    socket.on('error', () => {});
    socket.destroy();
  });
  server.on('tlsClientError', () => {});
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  t.after(() => server.close());
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, shaken: () => shaken };
}

async function call(address: string, postQuantumOnly: boolean): Promise<void> {
  using channel = dial({ address, tls: { verify: () => {}, postQuantumOnly } });
  await assert.rejects(channel.client(Bundle).getBundle({}, { timeoutMilliseconds: 10_000 }), {
    kind: 'unavailable',
  });
}

const rows: [groups: string, postQuantumOnly: boolean, agrees: boolean][] = [
  ['X25519:prime256v1', false, true],
  ['X25519:prime256v1', true, false],
  ['X25519MLKEM768', true, true],
  ['SecP256r1MLKEM768', true, true],
  ['SecP384r1MLKEM1024', true, true],
];
for (const [groups, postQuantumOnly, agrees] of rows) {
  const what = postQuantumOnly ? 'post-quantum exchanges only' : 'anything';
  test(`a client of ${what} ${agrees ? 'agrees' : 'does not agree'} with ${groups}`, async (t) => {
    const { address, shaken } = await serve(t, groups);
    await call(address, postQuantumOnly);
    assert.equal(shaken() > 0, agrees);
  });
}
