/** The broker's web page: whoever opens it sees quotes, which this program fetches anew every second over mTLS. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import { get } from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { authorizeId, MtlsAgent, X509Source } from 'steeple/workload';

const {
  PORT: port = '8080',
  QUOTES: url = 'https://127.0.0.1:8443',
  SERVICE: service = 'spiffe://stockmarket.example/quotes-service',
} = process.env;
const SECOND = 1000;

/** What the page shows: the last quotes, or why there are none. */
let latest = JSON.stringify({ error: 'no quotes yet' });

await using source = await X509Source.open();
// Nobody but that service is believed; each connection is a new one, with the newest SVIDs on both sides.
const agent = new MtlsAgent({ source, authorize: authorizeId(service) });

async function fetchQuotes(): Promise<string> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get(url, { agent, timeout: SECOND }, resolve).on('error', reject);
  });
  return text(response);
}

const asking = setInterval(() => {
  fetchQuotes().then(
    (quotes) => {
      latest = quotes;
    },
    (error: unknown) => {
      latest = JSON.stringify({ error: error instanceof Error ? error.message : String(error) });
    },
  );
}, SECOND);

const page = await readFile(join(import.meta.dirname, 'page.html'));
const http = createServer((request, response) => {
  const wantsQuotes = request.url === '/quotes';
  response.setHeader('Content-Type', wantsQuotes ? 'application/json' : 'text/html; charset=utf-8');
  response.end(wantsQuotes ? latest : page);
});
http.listen(Number(port), '127.0.0.1', () => {
  console.log(`${source.svid.id.toString()} asks ${service}`);
});
await once(process, 'SIGTERM');
clearInterval(asking);
agent.destroy();
http.close();
http.closeAllConnections();
