import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { connect } from 'node:tls';
import { askEndpoint, federationBlock } from '../kit/bundle-endpoint.ts';
import { startPebble } from '../kit/pebble.ts';
import { eventually, freePort } from '../kit/programs.ts';
import { missing } from '../kit/toolchain.ts';
import { startServerOnly, type TrustDomainProcesses } from '../kit/trust-domain.ts';

const DOMAIN = 'bundles.b.test';
const skip = missing('pebble');

const acme = (directoryUrl: string, port: number, more = 'tos_accepted = true') =>
  federationBlock(
    `port = ${port} profile "https_web" { acme { directory_url = "${directoryUrl}" domain_name = "${DOMAIN}" email = "me@b.test" ${more} } }`,
  );

const keyIdsOf = async (server: TrustDomainProcesses): Promise<string[]> => {
  const { keys } = JSON.parse(await readFile(server.path('server/keys.json'), 'utf8')) as {
    keys: Record<string, string>;
  };
  return Object.keys(keys).filter((id) => id.startsWith('bundle-acme-'));
};

test('the certificate comes from an ACME server, is kept, and is believed by others', {
  skip,
}, async (t) => {
  const port = await freePort();
  const pebble = await startPebble(t, port);
  const b = await startServerOnly(t, {
    name: 'b.test',
    environment: { SSL_CERT_FILE: pebble.authority },
    server: acme(pebble.directoryUrl, port),
  });
  const authority = b.path('roots.pem');
  await writeFile(authority, await pebble.roots());

  // Nothing is asked for before the first client comes, and nothing for other names.
  assert.deepEqual(await keyIdsOf(b), [`bundle-acme-${DOMAIN}`]);
  await assert.rejects(askEndpoint(port, { ca: authority }));
  await b.server.says(/host \\"localhost\\" not configured/);
  assert.doesNotMatch(b.server.output, /Obtained certificate/);

  const { text, names } = await askEndpoint(port, { ca: authority, serverName: DOMAIN });
  assert.equal(names, `DNS:${DOMAIN}`);
  assert.match(text, /^\{\n {4}"keys": \[/);
  assert.deepEqual(await keyIdsOf(b), ['bundle-acme-acme_account+key', `bundle-acme-${DOMAIN}`]);

  // Who cannot verify ECDSA gets RSA.
  const old = connect({
    host: '127.0.0.1',
    port,
    servername: DOMAIN,
    ca: await readFile(authority, 'utf8'),
    maxVersion: 'TLSv1.2',
    ciphers: 'ECDHE-RSA-AES128-GCM-SHA256',
  });
  await once(old, 'secureConnect');
  assert.equal(old.getPeerCertificate().asn1Curve, undefined);
  old.destroy();

  const folder = b.path('server/bundle-acme');
  const files = (await readdir(folder)).toSorted();
  assert.deepEqual(files, [DOMAIN, `${DOMAIN}+rsa`]);
  assert.equal((await stat(folder)).mode & 0o777, 0o700);
  for (const file of files) {
    assert.equal((await stat(`${folder}/${file}`)).mode & 0o777, 0o600);
    const kept = await readFile(`${folder}/${file}`, 'utf8');
    assert.doesNotMatch(kept, /PRIVATE/);
  }

  // Restarted, it needs no ACME server.
  await pebble.stop();
  await b.restartServer();
  await askEndpoint(port, { ca: authority, serverName: DOMAIN });
  assert.deepEqual((await readdir(folder)).toSorted(), files);
});

test('without an ACME server, or agreement to its terms, clients are turned away and told of', {
  skip,
}, async (t) => {
  const port = await freePort();
  const pebble = await startPebble(t, port);
  const b = await startServerOnly(t, {
    name: 'b.test',
    environment: { SSL_CERT_FILE: pebble.authority },
    server: acme(pebble.directoryUrl, port, ''),
  });
  await b.server.says(/ACME terms of service have not been accepted/);
  await assert.rejects(askEndpoint(port, { serverName: DOMAIN }));
  await b.server.says(/Failed to obtain certificate.*terms of service are not accepted/);
  await pebble.stop();
  await b.configure({ name: 'b.test', server: acme(pebble.directoryUrl, port) });
  await b.restartServer();
  await assert.rejects(askEndpoint(port, { serverName: DOMAIN }));
  await b.server.says(/Failed to obtain certificate.*ECONNREFUSED/);
  await eventually(async () => (await b.tryServer('healthcheck')).code === 0, 'a healthy server');
});
