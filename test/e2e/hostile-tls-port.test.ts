import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { connect as tlsConnect } from 'node:tls';
import { Bundle } from '../../src/wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import { Entry } from '../../src/wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import { eventually } from '../kit/programs.ts';
import { IdleConnections, sendRaw } from '../kit/raw-connections.ts';
import { dialLocal, dialNetwork, mintIdentity } from '../kit/server-callers.ts';
import { startServerOnly, type TrustDomainProcesses } from '../kit/trust-domain.ts';

const tcp = ({ port }: TrustDomainProcesses) => ({ host: '127.0.0.1', port });

async function serves(domain: TrustDomainProcesses): Promise<void> {
  using channel = dialNetwork(domain);
  const { trustDomain } = await channel.client(Bundle).getBundle({});
  assert.equal(trustDomain, domain.name);
}

test('nonsense on the TLS port ends its own connection, and nothing else', async (t) => {
  const domain = await startServerOnly(t);
  using channel = dialNetwork(domain);
  await channel.client(Bundle).getBundle({});
  for (const bytes of [
    randomBytes(64 * 1024),
    Buffer.alloc(64 * 1024),
    'GET / HTTP/1.1\r\nHost: server\r\n\r\n',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    // A hello with a length that is not true.
    Buffer.from(`1603010200010001fc0303${'00'.repeat(507)}`, 'hex'),
  ]) {
    await sendRaw(tcp(domain), bytes);
    await serves(domain);
  }
  assert.ok(domain.server.running);
  assert.equal(domain.server.stderr, '');
  await channel.client(Bundle).getBundle({});
});

test('a TLS client that does not speak HTTP/2 is turned away', async (t) => {
  const domain = await startServerOnly(t);
  for (const ALPNProtocols of [undefined, ['http/1.1']]) {
    const socket = tlsConnect({
      ...tcp(domain),
      rejectUnauthorized: false,
      ...(ALPNProtocols && { ALPNProtocols }),
    });
    socket.on('error', () => undefined);
    socket.on('secureConnect', () => socket.write('GET / HTTP/1.1\r\n\r\n'));
    let heard = '';
    socket.on('data', (chunk: Buffer) => (heard += chunk.toString()));
    await new Promise((resolve) => socket.on('close', resolve));
    assert.equal(heard, '');
  }
  await serves(domain);
});

test('a request that is too large is refused, and the connection lives on', async (t) => {
  const domain = await startServerOnly(t, { server: 'admin_ids = ["spiffe://example.test/root"]' });
  using network = dialNetwork(domain, await mintIdentity(domain, domain.id('/root')));
  using local = dialLocal(domain);
  for (const channel of [network, local]) {
    const entries = channel.client(Entry);
    await assert.rejects(entries.getEntry({ id: 'x'.repeat(4 * 1024 * 1024) }), {
      kind: 'exhausted',
    });
    assert.equal((await entries.countEntries({})).count, 0);
  }
});

test('clients that are slow to shake hands crowd nobody out', async (t) => {
  const domain = await startServerOnly(t);
  using known = dialNetwork(domain);
  await known.client(Bundle).getBundle({});
  using silent = new IdleConnections();
  await silent.make(tcp(domain), 1500);
  // Of those of whom nothing is known the oldest make room.
  // Long before the time is up in which a handshake must be over.
  await eventually(() => silent.open <= 1000, 'the end of the oldest', 10_000);
  assert.ok(silent.open >= 900, `only ${silent.open} are left`);
  const started = performance.now();
  await serves(domain);
  assert.ok(performance.now() - started < 5000);
  await known.client(Bundle).getBundle({});
});
