import assert from 'node:assert/strict';
import { connect, createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { dial } from '../../src/rpc/dial.ts';
import { attest, tokenProof } from '../kit/hand-over/attest.ts';
import { startServerOnly, type TrustDomainProcesses } from '../kit/trust-domain.ts';
import { createToken } from './plain-calls.ts';

/** A way to the server on which callers come from another address of this machine. */
async function from(
  t: TestContext,
  localAddress: string,
  { port }: TrustDomainProcesses,
): Promise<string> {
  const relay = createServer((client) => {
    const server = connect({ host: '127.0.0.1', port, localAddress });
    client.pipe(server).pipe(client);
    for (const socket of [client, server]) {
      socket.on('error', () => undefined);
      socket.on('close', () => {
        client.destroy();
        server.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  t.after(() => relay.close());
  const address = relay.address();
  assert.ok(typeof address === 'object' && address !== null);
  return `127.0.0.1:${address.port}`;
}

/** How long the attestation with that token takes, in milliseconds. */
async function attestOver(address: string, token: string): Promise<number> {
  using channel = dial({ address, tls: { verify: () => undefined } });
  const started = performance.now();
  await attest(channel, tokenProof(token));
  return performance.now() - started;
}

test('an address that attests too often waits, and no other does', async (t) => {
  const domain = await startServerOnly(t);
  const many = ['a', 'b', 'c', 'd'];
  for (const token of [...many, 'other']) await createToken(domain, token);
  const busy = await from(t, '127.0.0.2', domain);
  const calm = await from(t, '127.0.0.3', domain);
  const started = performance.now();
  const waiting = many.map((token) => attestOver(busy, token));
  const other = await attestOver(calm, 'other');
  assert.ok(other < 900, `the other address waited for ${other.toFixed(0)} ms`);
  await Promise.all(waiting);
  const took = performance.now() - started;
  // One a second: the first at once, the fourth after three.
  assert.ok(took > 2800, `four attestations of one address took ${took.toFixed(0)} ms`);
});
