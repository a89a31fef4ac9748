import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { test } from 'node:test';
import { eventually } from '../kit/programs.ts';
import { IdleConnections, sendRaw } from '../kit/raw-connections.ts';
import { startTrustDomain } from '../kit/trust-domain.ts';
import { Workload, workloadOf } from '../kit/workload.ts';

const OWN = `unix:uid:${process.getuid?.() ?? 0}`;
const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const SETTINGS = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);

/** An HTTP/2 frame whose header says so much. */
const frame = (length: number, type: number, flags: number, stream: number, payload: Buffer) => {
  const header = Buffer.alloc(9);
  header.writeUIntBE(length, 0, 3);
  header.writeUInt8(type, 3);
  header.writeUInt8(flags, 4);
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([Buffer.from(PREFACE), SETTINGS, header, payload]);
};

test('nonsense on the public socket ends its own connection, and nothing else', async (t) => {
  const domain = await startTrustDomain(t);
  await domain.createEntry('/workload', [OWN]);
  const workload = workloadOf(t, domain.agentSocket);
  await workload.has(domain.id('/workload'));
  using watched = workload.watchX509();
  await watched.until(() => true, 'the first update');
  const address = { path: domain.agentSocket };

  const nonsense: readonly [what: string, bytes: Uint8Array | string][] = [
    ['random bytes', randomBytes(64 * 1024)],
    ['zeros', Buffer.alloc(64 * 1024)],
    ['HTTP/1.1', 'GET / HTTP/1.1\r\nHost: agent\r\n\r\n'],
    ['the start of TLS', Buffer.from('1603010200010001fc0303', 'hex')],
    ['a preface and random bytes', Buffer.concat([Buffer.from(PREFACE), randomBytes(4096)])],
    ['a frame of 16 MiB', frame(0xff_ff_ff, 0, 0, 1, Buffer.alloc(16))],
    ['headers that do not decompress', frame(32, 1, 4, 1, Buffer.alloc(32, 0xff))],
    ['data for no stream', frame(4, 0, 0, 7, Buffer.alloc(4))],
    ['a window update of zero', frame(4, 8, 0, 0, Buffer.alloc(4))],
  ];
  for (const [what, bytes] of nonsense) {
    const socketClosed = sendRaw(address, bytes);
    // What the protocol lets stand, such as half of the start of TLS, is ended by whoever sent it.
    const answer = await Promise.race([
      socketClosed.then(() => 'closed'),
      workload.x509().then(() => 'served'),
    ]);
    assert.ok(['closed', 'served'].includes(answer), what);
    using fresh = new Workload(domain.agentSocket);
    assert.deepEqual(await fresh.ids(), [domain.id('/workload')], `after ${what}`);
  }

  // Connections that are cut off at every moment.
  for (let bytes = 0; bytes < PREFACE.length; bytes += 3) {
    const socket = connect(address);
    socket.on('error', () => undefined);
    socket.write(PREFACE.slice(0, bytes));
    socket.destroy();
  }
  assert.ok(watched.isOpen);
  await workload.has(domain.id('/workload'));
  assert.ok(domain.agent.running);
  assert.equal(domain.agent.stderr, '');
});

test('a request that is too large is refused, and the connection lives on', async (t) => {
  const domain = await startTrustDomain(t);
  await domain.createEntry('/workload', [OWN]);
  const workload = workloadOf(t, domain.agentSocket);
  await workload.has(domain.id('/workload'));
  const LIMIT = 4 * 1024 * 1024;
  await assert.rejects(workload.jwt(['x'.repeat(LIMIT)]), { kind: 'exhausted' });
  await assert.rejects(workload.validate('x'.repeat(LIMIT), 'a'), { kind: 'exhausted' });
  await workload.has(domain.id('/workload'));
  // Just below it, it is looked at.
  await assert.rejects(workload.validate('x'.repeat(LIMIT - 1000), 'a'), { kind: 'invalid' });
});

test('connections that come and go cost the agent no descriptors', async (t) => {
  const domain = await startTrustDomain(t);
  const descriptors = async () =>
    (await readdir(`/proc/${domain.agent.child.pid}/fd`).catch(() => [])).length;
  using connections = new IdleConnections();
  await connections.make({ path: domain.agentSocket }, 50);
  connections.close();
  await eventually(async () => (await descriptors()) > 0, 'descriptors');
  const before = await descriptors();
  for (let round = 0; round < 5; round += 1) {
    await connections.make({ path: domain.agentSocket }, 100);
    connections.close();
  }
  await eventually(async () => (await descriptors()) <= before + 5, 'descriptors to be given back');
});
