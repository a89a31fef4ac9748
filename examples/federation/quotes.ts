/** The stock market's service: quotes for the one client that it knows, whose trust domain is another. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { authorizeId, createMtlsServer, peerIdOf, X509Source } from 'steeple/workload';

const { PORT: port = '8443', CLIENT: client = 'spiffe://broker.example/webapp' } = process.env;
const prices = new Map([
  ['ACME', 112.4],
  ['GLOBEX', 48.25],
  ['INITECH', 7.8],
]);

/** A walk at random, up to half a percent a second. */
const walk = setInterval(() => {
  for (const [symbol, price] of prices)
    prices.set(symbol, price * (1 + (Math.random() - 0.5) / 100));
}, 1000);

const http = createServer((request, response) => {
  const quotes = [...prices].map(([symbol, price]) => ({ symbol, price: price.toFixed(2) }));
  const answer = { quotes, at: new Date().toISOString(), toldTo: peerIdOf(request.socket) };
  response.setHeader('Content-Type', 'application/json');
  response.end(JSON.stringify(answer));
});

await using source = await X509Source.open();
const server = createMtlsServer({
  source,
  authorize: authorizeId(client),
  serve: http,
  refused: (error) => {
    console.log(`refused: ${error.message}`);
  },
});
server.listen(Number(port), '127.0.0.1', () => {
  console.log(`${source.svid.id.toString()} serves ${client}`);
});
await once(process, 'SIGTERM');
clearInterval(walk);
server.close();
http.closeAllConnections();
