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
import { rpcErrorText } from '../../src/rpc/status.ts';
import {
  authorizeMemberOf,
  connectMtls,
  createMtlsServer,
  peerIdOf,
  WorkloadApi,
  X509Source,
} from '../../src/workload/index.ts';

/** There is no host name to check: the peer's SPIFFE ID says who it is. */
const authorize = authorizeMemberOf('demo.test');

const commands: Record<string, (word: string) => Promise<void>> = {
  async serve() {
    await using source = await X509Source.open();
    const server = createMtlsServer({
      source,
      authorize,
      serve: (socket) => {
        socket.end(`hello ${peerIdOf(socket)?.toString()}`);
        server.close();
      },
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    console.log((server.address() as AddressInfo).port);
    await once(server, 'close');
  },
  async call(port) {
    await using source = await X509Source.open();
    const socket = await connectMtls({ source, authorize, host: '127.0.0.1', port: Number(port) });
    const answer = (await socket.setEncoding('utf8').toArray()).join('');
    console.log(`talked to ${peerIdOf(socket)?.toString()}, who said "${answer}"`);
  },
  async token() {
    using api = new WorkloadApi();
    const { token } = await api.fetchJwtSvid({ audience: 'demo' });
    console.log(token);
  },
  async ask() {
    using api = new WorkloadApi();
    await api.fetchX509Context();
  },
};

const [, , name = '', word = ''] = process.argv;
try {
  const command = commands[name];
  if (command === undefined) throw new Error(`no command "${name}"`);
  await command(word);
} catch (error) {
  console.log(rpcErrorText(error));
  process.exitCode = 1;
}
