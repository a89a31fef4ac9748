/**
 * A service that answers whoever is a member of its own trust domain, and says who that is.
 *
 *   SPIFFE_ENDPOINT_SOCKET=unix:///run/spire/agent.sock node_modules/.bin/node examples/node-mtls/db.ts
 */
import { createServer } from 'node:http';
import { authorizeMemberOf, createMtlsServer, peerIdOf, X509Source } from 'steeple/workload';

// Without an agent, or an entry, it waits until there are: it should say so.
await using source = await X509Source.open({
  failed: (error) => {
    console.error(`waiting for an identity: ${String(error)}`);
  },
});
const me = source.svid.id.toString();

const http = createServer((request, response) => {
  response.end(`You are ${peerIdOf(request.socket)?.toString()}. I am ${me}.\n`);
});

const server = createMtlsServer({
  source,
  authorize: authorizeMemberOf(source.svid.id.trustDomain),
  serve: http,
  refused: (error) => {
    console.log(`refused: ${error.message}`);
  },
});
const port = Number(process.env['PORT'] ?? 8443);
server.listen(port, '127.0.0.1', () => {
  console.log(`${me} listens on 127.0.0.1:${port}`);
});
for await (const { svids } of source.updates()) {
  const end = new Date((svids[0].chain[0]?.notAfter ?? 0) * 1000);
  console.log(`the SVID is good until ${end.toISOString()}`);
}
