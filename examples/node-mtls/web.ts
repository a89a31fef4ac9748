/**
 * Calls the service, and nobody who only claims to be it.
 *
 *   SPIFFE_ENDPOINT_SOCKET=unix:///run/spire/agent.sock node_modules/.bin/node examples/node-mtls/web.ts spiffe://example.org/db
 */
import type { IncomingMessage } from 'node:http';
import { get } from 'node:https';
import { text } from 'node:stream/consumers';
import { authorizeId, MtlsAgent, X509Source } from 'steeple/workload';

const [, , db = 'spiffe://example.org/db'] = process.argv;
// Without an agent, or an entry, it waits until there are: it should say so.
await using source = await X509Source.open({
  failed: (error) => {
    console.error(`waiting for an identity: ${String(error)}`);
  },
});
const agent = new MtlsAgent({ source, authorize: authorizeId(db) });
const port = Number(process.env['PORT'] ?? 8443);
const response = await new Promise<IncomingMessage>((resolve, reject) => {
  get({ host: '127.0.0.1', port, path: '/', agent }, resolve).on('error', reject);
});
process.stdout.write(await text(response));
agent.destroy();
