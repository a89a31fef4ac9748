import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { type TestContext, test } from 'node:test';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { writePem } from '../../src/crypto/pem.ts';
import { Bundle } from '../../src/wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import { Entry } from '../../src/wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import { eventually } from '../kit/programs.ts';
import { openFilesLimit } from '../kit/raw-connections.ts';
import { attestWithToken, dialLocal, dialNetwork, type Identity } from '../kit/server-callers.ts';
import { startServerOnly, type TrustDomainProcesses } from '../kit/trust-domain.ts';
import { createToken } from './plain-calls.ts';

/** What nodes without a certificate may hold of connections, see start-endpoints.ts. */
const MAX_ANONYMOUS = 2000;
const CROWD = MAX_ANONYMOUS + 300;
const STREAMS = 5;
/** A client that is served waits no longer, whatever the others do. */
const PATIENT_MILLISECONDS = 5000;

async function residentMegabytes({ server }: TrustDomainProcesses): Promise<number> {
  const status = await readFile(`/proc/${server.child.pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) / 1024;
}

const tls = ({ port }: TrustDomainProcesses, identity?: Identity): TLSSocket => {
  const socket = connectTls({
    host: '127.0.0.1',
    port,
    rejectUnauthorized: false,
    ALPNProtocols: ['h2'],
    ...(identity && {
      cert: identity.chain.map((der) => writePem('CERTIFICATE', der)).join(''),
      key: writePem('PRIVATE KEY', identity.privateKey),
    }),
  });
  socket.on('error', () => undefined);
  return socket;
};

function http2(domain: TrustDomainProcesses, identity?: Identity): ClientHttp2Session {
  const session = connectHttp2('https://server', {
    createConnection: () => tls(domain, identity),
    settings: { initialWindowSize: 0 },
  });
  session.on('error', () => undefined);
  return session;
}

/** One call; `body` undefined: it is never finished. */
function call(session: ClientHttp2Session, path: string, body?: Uint8Array) {
  const stream = session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  stream.on('error', () => undefined);
  if (body !== undefined) stream.end(body);
  return stream;
}

/** A gRPC frame with an empty message. */
const EMPTY = new Uint8Array(5);

async function isServed(ask: () => Promise<unknown>): Promise<void> {
  const started = performance.now();
  await ask();
  const took = performance.now() - started;
  assert.ok(took < PATIENT_MILLISECONDS, `it took ${took.toFixed(0)} ms`);
}

const skip =
  process.env['CI'] === undefined &&
  openFilesLimit() < CROWD + 500 &&
  `needs to open ${CROWD} connections at once`;

test('a crowd without certificates, which finishes nothing, crowds out no agent', {
  skip,
}, async (t) => {
  const domain = await startServerOnly(t, { server: 'ratelimit { attestation = false }' });
  await createToken(domain, 'known');
  const agent = await attestWithToken(domain, 'known');
  using known = dialNetwork(domain, agent);
  await known.client(Entry).getAuthorizedEntries({});
  const before = await residentMegabytes(domain);

  const crowd = await gather(t, domain);
  await eventually(() => crowd.open() <= MAX_ANONYMOUS, 'the end of those who came first');
  assert.ok(crowd.open() > MAX_ANONYMOUS - 100, `only ${crowd.open()} are left`);
  await isServed(() => known.client(Entry).getAuthorizedEntries({}));
  await isServed(async () => {
    using late = dialNetwork(domain, agent);
    await late.client(Entry).getAuthorizedEntries({});
  });
  await isServed(async () => {
    using stranger = dialNetwork(domain);
    await stranger.client(Bundle).getBundle({});
  });
  const grown = (await residentMegabytes(domain)) - before;
  t.diagnostic(`${crowd.open()} connections cost ${grown.toFixed(0)} MB`);
  assert.ok(grown < 600, `${grown.toFixed(0)} MB`);
  assert.equal(domain.server.stderr, '');
});

/** Connections that each begin as many calls as they may, and finish none; some not even their first words. */
async function gather(t: TestContext, domain: TrustDomainProcesses) {
  const sockets: TLSSocket[] = [];
  const sessions: ClientHttp2Session[] = [];
  const timers: NodeJS.Timeout[] = [];
  t.after(() => {
    for (const timer of timers) clearInterval(timer);
    for (const session of sessions) session.destroy();
    for (const socket of sockets) socket.destroy();
  });
  let settled = 0;
  for (let made = 0; made < CROWD; made++) {
    if (made % 10 === 0) {
      const socket = tls(domain);
      socket.resume();
      socket.once('secureConnect', () => (settled += 1));
      socket.once('close', () => clearInterval(timer));
      const words = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
      let at = 0;
      const timer = setInterval(() => socket.write(words.subarray(at, ++at)), 1000);
      timers.push(timer);
      sockets.push(socket);
    } else {
      const session = http2(domain);
      session.once('connect', () => {
        settled += 1;
        for (let stream = 0; stream < STREAMS; stream++) {
          call(session, '/spire.api.server.agent.v1.Agent/AttestAgent').write(new Uint8Array(3));
        }
      });
      sessions.push(session);
    }
    const due = made - 60;
    if (settled < due) await eventually(() => settled >= due, `connection ${due}`);
  }
  return {
    open: () =>
      sockets.filter(({ closed }) => !closed).length +
      sessions.filter(({ closed, destroyed }) => !closed && !destroyed).length,
  };
}

/** What can be sent in one request of nothing but empty parts, each of which costs far more to hold. */
const BOMB = frame(Buffer.alloc(4 * 1024 * 1024 - 16, Uint8Array.of(0x0a, 0)));

function frame(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

async function statusOf(session: ClientHttp2Session, path: string): Promise<unknown> {
  const stream = call(session, path, BOMB);
  const { promise, resolve } = Promise.withResolvers<unknown>();
  stream.on('response', (headers) => {
    if ('grpc-status' in headers) resolve(headers['grpc-status']);
  });
  stream.on('trailers', (headers) => {
    resolve(headers['grpc-status']);
  });
  stream.once('close', () => {
    resolve('reset');
  });
  stream.resume();
  return promise;
}

test('requests of nothing but parts cost nobody else anything, whoever sends them', async (t) => {
  const domain = await startServerOnly(t, { server: 'ratelimit { attestation = false }' });
  await createToken(domain, 'known');
  const agent = await attestWithToken(domain, 'known');
  using known = dialNetwork(domain, agent);
  await known.client(Entry).getAuthorizedEntries({});
  const before = await residentMegabytes(domain);

  const statuses: unknown[] = [];
  const send = async (identity: Identity | undefined, path: string, connections: number) => {
    const sessions = Array.from({ length: connections }, () => http2(domain, identity));
    t.after(() => {
      for (const session of sessions) session.destroy();
    });
    await Promise.all(
      sessions.flatMap((session) =>
        Array.from({ length: STREAMS }, async () => statuses.push(await statusOf(session, path))),
      ),
    );
  };
  const sent = Promise.all([
    send(undefined, '/spire.api.server.entry.v1.Entry/BatchCreateEntry', 8),
    send(undefined, '/spire.api.server.bundle.v1.Bundle/GetBundle', 8),
    send(agent, '/spire.api.server.entry.v1.Entry/BatchCreateEntry', 4),
    send(agent, '/spire.api.server.svid.v1.SVID/BatchNewX509SVID', 4),
  ]);
  while ((await Promise.race([sent, Promise.resolve(undefined)])) === undefined) {
    await isServed(() => known.client(Entry).getAuthorizedEntries({}));
  }
  const grown = (await residentMegabytes(domain)) - before;
  t.diagnostic(`${statuses.length} requests cost ${grown.toFixed(0)} MB`);
  assert.ok(grown < 400, `${grown.toFixed(0)} MB`);
  // Too large, too many parts, or not theirs to ask.
  assert.deepEqual(new Set(statuses), new Set(['7', '8', 'reset']));
  assert.equal(domain.server.stderr, '');
});

test('requests that never end are held up to a bound, whoever sends them', async (t) => {
  const domain = await startServerOnly(t, { server: 'ratelimit { attestation = false }' });
  await createToken(domain, 'known');
  const agent = await attestWithToken(domain, 'known');
  using known = dialNetwork(domain, agent);
  await known.client(Entry).getAuthorizedEntries({});
  const before = await residentMegabytes(domain);

  let reset = 0;
  for (let connection = 0; connection < 4; connection++) {
    const session = http2(domain, agent);
    t.after(() => {
      session.destroy();
    });
    for (let stream = 0; stream < 50; stream++) {
      const method =
        stream % 2 === 0 ? 'svid.v1.SVID/BatchNewX509SVID' : 'entry.v1.Entry/SyncAuthorizedEntries';
      const endless = call(session, `/spire.api.server.${method}`);
      endless.once('close', () => reset++);
      endless.write(BOMB.subarray(0, -1));
    }
  }
  await eventually(() => reset > 4 * 40, 'the end of what is too much');
  await isServed(() => known.client(Entry).getAuthorizedEntries({}));
  const grown = (await residentMegabytes(domain)) - before;
  t.diagnostic(`${4 * 50 - reset} requests that are held cost ${grown.toFixed(0)} MB`);
  assert.ok(grown < 200, `${grown.toFixed(0)} MB`);
  assert.equal(domain.server.stderr, '');
});

const ENTRIES = 4000;
const BATCH = 500;
const CALLS = 300;

test('an agent that never reads its answers holds a bounded memory, and no other is slower', async (t) => {
  const domain = await startServerOnly(t, { server: 'ratelimit { attestation = false }' });
  await createToken(domain, 'deaf');
  const deaf = await attestWithToken(domain, 'deaf');
  const trustDomain = domain.name;
  using local = dialLocal(domain);
  for (let from = 0; from < ENTRIES; from += BATCH) {
    const { results } = await local.client(Entry).batchCreateEntry({
      entries: Array.from({ length: BATCH }, (_, index) => ({
        id: `entry-${from + index}`,
        spiffeId: { trustDomain, path: `/workload/${from + index}` },
        parentId: { trustDomain, path: '/spire/agent/join_token/deaf' },
        selectors: [{ type: 'unix', value: `user:${'x'.repeat(200)}` }],
      })),
    });
    assert.ok(results.every(({ status }) => status?.code === 0));
  }
  using hearing = dialNetwork(domain, deaf);
  const { entries } = await hearing.client(Entry).getAuthorizedEntries({});
  assert.equal(entries.length, ENTRIES);
  const before = await residentMegabytes(domain);

  const sessions = Array.from({ length: 3 }, () => http2(domain, deaf));
  t.after(() => {
    for (const session of sessions) session.destroy();
  });
  // All at once on some, one by one on the other.
  const path = '/spire.api.server.entry.v1.Entry/GetAuthorizedEntries';
  for (let turn = 0; turn < CALLS; turn++) {
    for (const session of sessions) if (!session.closed) call(session, path, EMPTY);
    if (turn > CALLS / 2) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await isServed(() => hearing.client(Entry).getAuthorizedEntries({}));
  const grown = (await residentMegabytes(domain)) - before;
  t.diagnostic(`answers that nobody reads cost ${grown.toFixed(0)} MB`);
  // Three connections, each with some sixty answers of more than a megabyte.
  assert.ok(grown < 450, `${grown.toFixed(0)} MB`);
});
