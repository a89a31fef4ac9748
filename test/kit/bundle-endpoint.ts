import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { get } from 'node:https';
import { writePem } from '../../src/crypto/pem.ts';
import { WebOfTrust } from './https-endpoint.ts';
import type { TrustDomainProcesses } from './trust-domain.ts';

/** The lines of a `federation` section by which two servers know each other's bundle endpoint. */
export const federationBlock = (endpoint: string, relationships = ''): string =>
  `federation { bundle_endpoint { address = "127.0.0.1" ${endpoint} } ${relationships} }`;

export const spiffeRelationship = (trustDomain: string, port: number): string => `
  federates_with "${trustDomain}" {
    bundle_endpoint_url = "https://localhost:${port}"
    bundle_endpoint_profile "https_spiffe" { endpoint_spiffe_id = "spiffe://${trustDomain}/spire/server" }
  }`;

/** An authority of the web, and a pair of it for `localhost`, in files of that folder. */
export async function webFiles(folder: string) {
  const web = await WebOfTrust.create('web of the test');
  const { certificate, key } = await web.web(['localhost']);
  const [cert, pkcs8, authority] = ['web.pem', 'web.key', 'web-ca.pem'].map(
    (name) => `${folder}/${name}`,
  ) as [string, string, string];
  await writeFile(cert, writePem('CERTIFICATE', certificate.der));
  await writeFile(pkcs8, writePem('PRIVATE KEY', key.toPkcs8()), { mode: 0o600 });
  await writeFile(authority, web.pem);
  return {
    profile: `profile "https_web" { serving_cert_file { cert_file_path = "${cert}" key_file_path = "${pkcs8}" file_sync_interval = "1s" } }`,
    authority,
  };
}

/** Gives one server the bundle of another, as a file that somebody carried. */
export async function carryBundle(
  from: TrustDomainProcesses,
  to: TrustDomainProcesses,
): Promise<void> {
  const { stdout } = await from.runServer('bundle', 'show', '-format', 'spiffe');
  const file = to.path(`${from.name}.json`);
  await writeFile(file, stdout);
  await to.runServer(
    'bundle',
    'set',
    '-format',
    'spiffe',
    '-id',
    `spiffe://${from.name}`,
    '-path',
    file,
  );
}

/** What an endpoint answers, and the certificate that it shows, whoever vouches for it. */
export async function askEndpoint(
  port: number,
  { ca, serverName = 'localhost' }: { readonly ca?: string; readonly serverName?: string } = {},
): Promise<{ readonly text: string; readonly names: string | undefined }> {
  const request = get({
    host: '127.0.0.1',
    port,
    servername: serverName,
    agent: false,
    ...(ca === undefined ? { rejectUnauthorized: false } : { ca: await readFile(ca, 'utf8') }),
  });
  const [response] = (await once(request, 'response')) as [
    AsyncIterable<Uint8Array> & { socket: import('node:tls').TLSSocket },
  ];
  const names = response.socket.getPeerCertificate().subjectaltname;
  let text = '';
  for await (const chunk of response) text += Buffer.from(chunk).toString();
  return { text, names };
}
