/** Resident memory of both programs, at rest and at work. */

import { rm } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { dial } from '../src/rpc/dial.ts';
import { SpiffeWorkloadAPI } from '../src/wire/gen/spiffe/workload/workload_pb.ts';
import { Debug } from '../src/wire/gen/spire/api/agent/debug/v1/debug_pb.ts';
import { Entry } from '../src/wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import { createEntries } from './kit/agent-client.ts';
import { BenchDomain, residentMegabytes } from './kit/domain.ts';
import { figure, title } from './kit/figures.ts';

const REST_SECONDS = 60;
const SVIDS = 1000;
const MANY_SVIDS = 10_000;
const CONNECTIONS = 3000;
const IDLE_TLS = 500;
const HEADERS = { headers: { 'workload.spiffe.io': 'true' } };

export async function memory(): Promise<void> {
  title('Resident memory');
  await using domain = await BenchDomain.create();
  const { program: server } = await domain.startServer();
  const { program: agent } = await domain.startAgent();
  await pause(REST_SECONDS * 1000);
  figure(
    `agent after ${REST_SECONDS} s of rest (SPIRE 65, goal 70)`,
    await residentMegabytes(agent),
    'MB',
  );
  figure(
    `server after ${REST_SECONDS} s of rest (SPIRE 127)`,
    await residentMegabytes(server),
    'MB',
  );

  using admin = dial({ address: `unix:${domain.path('server.sock')}` });
  const selector = `unix:uid:${process.getuid?.() ?? 0}`;
  await createEntries(admin.client(Entry), SVIDS, { parentPath: '/node', selector });
  await svidsServed(domain, SVIDS);
  await pause(10_000);
  const withSvids = await residentMegabytes(agent);
  figure(`agent with ${SVIDS} SVIDs (SPIRE 83, goal 88)`, withSvids, 'MB');
  for (let i = 0; i < CONNECTIONS; i++) await askOnce(domain);
  await pause(10_000);
  figure(
    `agent after ${CONNECTIONS} connections more (goal +10)`,
    (await residentMegabytes(agent)) - withSvids,
    'MB',
  );
  figure(`server with ${SVIDS} entries`, await residentMegabytes(server), 'MB');
  for (let i = 0; i < CONNECTIONS; i++) (await openTls(domain.port)).destroy();
  await pause(10_000);
  const before = await residentMegabytes(server);
  figure(`server after ${CONNECTIONS} TLS connections`, before, 'MB');
  const sockets: ReturnType<typeof connectTls>[] = [];
  for (let i = 0; i < IDLE_TLS; i++) sockets.push(await openTls(domain.port));
  await pause(5000);
  const each = (((await residentMegabytes(server)) - before) * 1024) / IDLE_TLS;
  figure('server: an idle TLS connection', each, 'KB');
  for (const socket of sockets) socket.destroy();
  await manySvids();
}

/** Ten times as many SVIDs as an agent keeps unless it is told to. */
async function manySvids(): Promise<void> {
  await using domain = await BenchDomain.create();
  await domain.startServer();
  // Not beside the public socket, which SPIRE refuses.
  const folder = `${domain.folder}-admin`;
  const adminSocket = `${folder}/admin.sock`;
  const { program: agent } = await domain.startAgent(
    `admin_socket_path = "${adminSocket}"
     x509_svid_cache_max_size = ${MANY_SVIDS}`,
  );
  using server = dial({ address: `unix:${domain.path('server.sock')}` });
  const selector = 'unix:uid:4000000000';
  await createEntries(server.client(Entry), MANY_SVIDS, { parentPath: '/node', selector });
  using admin = dial({ address: `unix:${adminSocket}` });
  const count = async () => (await admin.client(Debug).getInfo({})).cachedX509SvidsCount;
  while ((await count()) < MANY_SVIDS) await pause(500);
  await pause(10_000);
  const megabytes = await residentMegabytes(agent);
  figure(`agent with ${MANY_SVIDS} SVIDs, as many as it may keep`, megabytes, 'MB');
  await rm(folder, { recursive: true });
}

async function svidsServed(domain: BenchDomain, count: number): Promise<void> {
  using channel = dial({ address: `unix:${domain.path('agent.sock')}`, maxReceiveBytes: 1 << 28 });
  for (;;) {
    try {
      for await (const { svids } of channel.client(SpiffeWorkloadAPI).fetchX509SVID({}, HEADERS)) {
        if (svids.length >= count) return;
      }
    } catch {
      await pause(200);
    }
  }
}

/** One connection with one small question, as a health probe asks it. */
async function askOnce(domain: BenchDomain): Promise<void> {
  using channel = dial({ address: `unix:${domain.path('agent.sock')}`, maxReceiveBytes: 1 << 28 });
  for await (const _ of channel.client(SpiffeWorkloadAPI).fetchX509Bundles({}, HEADERS)) return;
}

function openTls(port: number): Promise<ReturnType<typeof connectTls>> {
  return new Promise((resolve, reject) => {
    const socket = connectTls(
      { host: '127.0.0.1', port, rejectUnauthorized: false, ALPNProtocols: ['h2'] },
      () => {
        resolve(socket);
      },
    );
    socket.once('error', reject);
  });
}
