import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type Socket } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { eventually } from '../../kit/programs.ts';
import { notRoot } from '../../kit/toolchain.ts';
import { startTrustDomain, type TrustDomainProcesses } from '../../kit/trust-domain.ts';
import { type Envoy, noEnvoy, type Side, startEnvoy } from './envoy.ts';

/** Each side runs as a user of its own, so that each has one identity. */
const SERVER_UID = 64_001;
const CLIENT_UID = 64_002;
const server = 'spiffe://example.test/server';
const client = 'spiffe://example.test/client';

type Case = { readonly name: string; readonly of: (own: string) => Partial<Side> };

const cases: readonly Case[] = [
  {
    name: 'SVID and bundle by their SPIFFE IDs',
    of: (own) => ({ svid: own, validation: 'spiffe://example.test' }),
  },
  { name: 'default and ROOTCA', of: () => ({ svid: 'default', validation: 'ROOTCA' }) },
  { name: 'default and ALL', of: () => ({ svid: 'default', validation: 'ALL' }) },
  {
    name: 'authorities instead of the SPIFFE validator',
    of: () => ({
      svid: 'default',
      validation: 'ROOTCA',
      metadata: { disable_spiffe_cert_validation: true },
    }),
  },
  {
    name: 'deltas',
    of: (own) => ({ svid: own, validation: 'ROOTCA', api: 'DELTA_GRPC' }),
  },
];

describe('Envoy', { skip: noEnvoy || notRoot }, () => {
  test('two Envoys talk mTLS with secrets from the agent', async (t) => {
    const domain = await domainWithSides(t);
    for (const { name, of } of cases) {
      await t.test(name, async (t) => {
        const sides = await startSides(t, domain, {
          server: of(server),
          client: of(client),
        });
        await eventually(() => echoes(sides.client.port), 'an echo through both');
      });
    }
  });

  test('whoever is not the peer that was named is refused', async (t) => {
    const domain = await domainWithSides(t);
    const sides = await startSides(t, domain, {
      server: { peer: 'spiffe://example.test/somebody-else' },
      client: {},
    });
    await eventually(
      async () => /ssl\.fail_verify_san: [1-9]/.test(await statsAfterTry(sides)),
      'the refusal of a peer with another name',
    );
    assert.equal(await echoes(sides.client.port), false);
  });

  test('an SVID that the workload may not have never comes', async (t) => {
    const domain = await domainWithSides(t);
    const sides = await startSides(t, domain, { server: {}, client: { svid: server } });
    await eventually(
      () => /workload is not authorized for the requested identities/.test(domain.agent.stdout),
      'the refusal in the log',
    );
    assert.equal(await echoes(sides.client.port), false);
  });

  test('a rotation drops no connection and fails none', async (t) => {
    // SVIDs of 16 s are renewed after about 8.
    const domain = await domainWithSides(t, '-x509SVIDTTL', '16');
    const sides = await startSides(t, domain, { server: {}, client: {} });
    await eventually(() => echoes(sides.client.port), 'an echo through both');
    const before = await serials(sides);
    const kept = await openConnection(sides.client.port);
    t.after(() => kept.destroy());
    let short = 0;
    await eventually(async () => {
      assert.equal(await echo(kept, 'still there'), 'still there');
      assert.equal(await echoes(sides.client.port), true);
      short += 1;
      const now = await serials(sides);
      return now.every((serial, index) => serial !== before[index]);
    }, 'new certificates on both sides');
    assert.equal(await echo(kept, 'the end'), 'the end');
    assert.ok(short > 3, `${short} connections were made meanwhile`);
  });

  test('workloads of two trust domains talk, each checked by the bundle of its own', async (t) => {
    const domain = await startTrustDomain(t);
    const partner = await startTrustDomain(t, { name: 'partner.test' });
    const partnersClient = 'spiffe://partner.test/client';
    await exchangeBundles(domain, partner);
    await domain.createEntry('/server', uid(SERVER_UID), '-federatesWith', 'spiffe://partner.test');
    await partner.createEntry(
      '/client',
      uid(CLIENT_UID),
      '-federatesWith',
      'spiffe://example.test',
    );
    await domain.createEntry('/client', uid(CLIENT_UID));
    const target = await startEcho(t);
    const peer = /spiffe:\/\/(partner|example)\.test\/client/;
    const envoy = await startEnvoy(t, {
      ...sideOf(domain, SERVER_UID, { validation: 'ALL', peer }),
      role: 'server',
      target,
    });
    const local = await startEnvoy(t, {
      ...sideOf(domain, CLIENT_UID, { validation: 'spiffe://example.test', peer: server }),
      role: 'client',
      target: envoy.port,
    });
    const foreign = await startEnvoy(t, {
      ...sideOf(partner, CLIENT_UID, {
        validation: 'spiffe://example.test',
        peer: server,
        svid: partnersClient,
      }),
      role: 'client',
      target: envoy.port,
    });
    await eventually(() => echoes(local.port), 'an echo within the trust domain');
    await eventually(() => echoes(foreign.port), 'an echo across trust domains');
  });
});

type Sides = { readonly server: Envoy; readonly client: Envoy };

const uid = (number: number): string[] => [`unix:uid:${number}`];

async function domainWithSides(t: TestContext, ...flags: string[]): Promise<TrustDomainProcesses> {
  const domain = await startTrustDomain(t);
  await domain.createEntry('/server', uid(SERVER_UID), ...flags);
  await domain.createEntry('/client', uid(CLIENT_UID), ...flags);
  return domain;
}

/** By default each side has its one SVID, and believes in the other's ID under the trust domain's bundle. */
async function startSides(
  t: TestContext,
  domain: TrustDomainProcesses,
  more: { readonly server: Partial<Side>; readonly client: Partial<Side> },
): Promise<Sides> {
  const target = await startEcho(t);
  const serving = await startEnvoy(t, {
    ...sideOf(domain, SERVER_UID, { peer: client, ...more.server }),
    role: 'server',
    target,
  });
  const calling = await startEnvoy(t, {
    ...sideOf(domain, CLIENT_UID, { peer: server, ...more.client }),
    role: 'client',
    target: serving.port,
  });
  return { server: serving, client: calling };
}

const sideOf = (
  domain: TrustDomainProcesses,
  uid: number,
  more: Partial<Side> & Pick<Side, 'peer'>,
): Side & { readonly uid: number } => ({
  socket: domain.agentSocket,
  svid: 'default',
  validation: 'ROOTCA',
  uid,
  ...more,
});

/** Sends back what it is sent. */
async function startEcho(t: TestContext): Promise<number> {
  const sockets = new Set<Socket>();
  const echo = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    echo.close();
  });
  return (echo.address() as AddressInfo).port;
}

async function openConnection(port: number): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port });
  socket.on('error', () => {});
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve).once('close', () => {
      reject(new Error('refused'));
    });
  });
  return socket;
}

/** What comes back; undefined if the connection ends first. */
function echo(socket: Socket, text: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const onData = (data: Buffer) => {
      socket.off('close', onClose);
      resolve(data.toString());
    };
    const onClose = () => {
      socket.off('data', onData);
      resolve(undefined);
    };
    socket.once('data', onData).once('close', onClose);
    socket.write(text);
  });
}

/** Whether a new connection through the proxies works. */
async function echoes(port: number): Promise<boolean> {
  let socket: Socket;
  try {
    socket = await openConnection(port);
  } catch {
    return false;
  }
  const answer = await echo(socket, 'hello');
  socket.destroy();
  return answer === 'hello';
}

/** The serial number of each side's own certificate, as Envoy uses it. */
async function serials(sides: Sides): Promise<(string | undefined)[]> {
  return Promise.all(
    [sides.server, sides.client].map(async (envoy) => {
      const { certificates } = JSON.parse(await envoy.admin('/certs')) as {
        certificates: { cert_chain?: { serial_number: string }[] }[];
      };
      return certificates.flatMap(({ cert_chain = [] }) => cert_chain)[0]?.serial_number;
    }),
  );
}

async function statsAfterTry({ server, client }: Sides): Promise<string> {
  await echoes(client.port);
  return server.admin('/stats?filter=ssl.fail_verify_san');
}

/** Each learns the other's bundle before it has an entry that needs it. */
async function exchangeBundles(a: TrustDomainProcesses, b: TrustDomainProcesses): Promise<void> {
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    const path = from.path('for-partner.json');
    const { stdout } = await from.runServer('bundle', 'show', '-format', 'spiffe');
    await writeFile(path, stdout);
    await to.runServer(
      'bundle',
      'set',
      '-id',
      `spiffe://${from.name}`,
      '-format',
      'spiffe',
      '-path',
      path,
    );
  }
}
