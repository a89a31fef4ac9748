/**
 * What the demo's workloads do. They know only where the Workload API is; who they are, it tells them.
 *
 *   workload serve          answers one mTLS connection; says its port first
 *   workload call PORT      talks to it
 *   workload token          fetches a JWT-SVID for the audience "demo"
 *   workload ask            only asks for an X509-SVID
 */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type SecureContextOptions, type TLSSocket } from 'node:tls';
import { writePem } from '../../src/crypto/pem.ts';
import { parseCertificate, parseCertificates } from '../../src/crypto/x509/certificate.ts';
import { dial } from '../../src/rpc/dial.ts';
import { rpcErrorText } from '../../src/rpc/status.ts';
import { x509SvidId } from '../../src/spiffe/x509-svid.ts';
import { SpiffeWorkloadAPI } from '../../src/wire/gen/spiffe/workload/workload_pb.ts';

const SECURITY_HEADER = { headers: { 'workload.spiffe.io': 'true' } };
const endpoint = process.env['SPIFFE_ENDPOINT_SOCKET'] ?? '';
using channel = dial({ address: endpoint.replace('unix://', 'unix:') });
const workloadApi = channel.client(SpiffeWorkloadAPI);

const commands: Record<string, (word: string) => Promise<void>> = {
  async serve() {
    const server = createServer({ ...(await identity()), requestCert: true }, (socket) => {
      socket.end(`hello ${peerOf(socket)}`);
      server.close();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    console.log((server.address() as AddressInfo).port);
    await once(server, 'close');
  },
  async call(port) {
    // There is no host name to check: the peer's SPIFFE ID says who it is.
    const options = { ...(await identity()), checkServerIdentity: () => undefined };
    const socket = connect({ ...options, host: '127.0.0.1', port: Number(port) });
    await once(socket, 'secureConnect');
    const peer = peerOf(socket);
    const answer = (await socket.setEncoding('utf8').toArray()).join('');
    console.log(`talked to ${peer}, who said "${answer}"`);
  },
  async token() {
    const { svids } = await workloadApi.fetchJWTSVID({ audience: ['demo'] }, SECURITY_HEADER);
    console.log(svids[0]?.svid);
  },
  async ask() {
    await identity();
  },
};

/** Certificate, key and authorities, as TLS wants them. */
async function identity(): Promise<SecureContextOptions> {
  for await (const { svids } of workloadApi.fetchX509SVID({}, SECURITY_HEADER)) {
    const [svid] = svids;
    if (svid === undefined) break;
    return {
      cert: pemOf(svid.x509Svid),
      key: writePem('PRIVATE KEY', svid.x509SvidKey),
      ca: pemOf(svid.bundle),
    };
  }
  throw new Error('the Workload API ended its answer without an SVID');
}

const pemOf = (concatenatedDer: Uint8Array): string =>
  parseCertificates(concatenatedDer)
    .map(({ der }) => writePem('CERTIFICATE', der))
    .join('');

/** TLS has verified the peer's certificate against the bundle; its ID is in it. */
function peerOf(socket: TLSSocket): string {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) throw new Error('the peer showed no certificate');
  return x509SvidId(parseCertificate(certificate.raw)).toString();
}

const [, , name = '', word = ''] = process.argv;
try {
  const command = commands[name];
  if (command === undefined) throw new Error(`no command "${name}"`);
  await command(word);
} catch (error) {
  console.log(rpcErrorText(error));
  process.exitCode = 1;
}
