import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadAgentConfig } from '../../../src/agent/config.ts';
import { startAgent } from '../../../src/agent/start.ts';
import { systemClock } from '../../../src/base/clock.ts';
import { readPem } from '../../../src/crypto/pem.ts';
import { configFiles } from '../../../src/ops/config-env.ts';
import { silentLog } from '../../../src/ops/log.ts';
import { dial } from '../../../src/rpc/dial.ts';
import { loadServerConfig } from '../../../src/server/config.ts';
import { startServer } from '../../../src/server/start.ts';
import { Agent } from '../../../src/wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { Bundle } from '../../../src/wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import { Entry } from '../../../src/wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import { SVID } from '../../../src/wire/gen/spire/api/server/svid/v1/svid_pb.ts';
import { freePort } from '../../kit/programs.ts';

/** Nobody on purpose: no entry matches it. */
const STRANGER_UID = 65_534;
const TRUST_DOMAIN = 'local.test';
const AGENT = { trustDomain: TRUST_DOMAIN, path: '/spire/agent/join_token/local-apis' };

export type World = AsyncDisposable & {
  /** The public socket, for a process of our own uid. */
  readonly address: string;
  /** The public socket as a process of another uid reaches it; undefined where we cannot start one. */
  readonly strangersAddress: string | undefined;
  addLateEntry(): Promise<void>;
  removeLateEntry(): Promise<void>;
  mintJwt(path: string, audience: string[]): Promise<string>;
};

/** The trust domain of the recorded answers: `local.test` with its entries, an agent, and the bundle of `b.test`. */
export async function startWorld(): Promise<World> {
  await using opened = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'local-apis-'));
  opened.defer(() => rm(folder, { recursive: true }));
  await chmod(folder, 0o755);
  const port = await freePort();
  const { server, agent } = await configs(folder, port);
  const env = {
    log: silentLog,
    clock: systemClock,
    random: Math.random,
    environment: {},
    signal: new AbortController().signal,
  };
  opened.use(await startServer(server, env));
  const channel = opened.use(dial({ address: `unix:${server.socketPath}` }));
  const uid = process.getuid?.() ?? 0;
  await fill(channel, uid, join(folder, 'bundle.pem'));
  opened.use(await startAgent(agent, env));
  const stranger = uid === 0 ? opened.use(await relay(agent.socketPath)) : undefined;

  const entries = channel.client(Entry);
  const late = entry('0-late', uid, '/late', { hint: 'internal' });
  const running = opened.move();
  return {
    address: `unix:${agent.socketPath}`,
    strangersAddress: stranger?.address,
    async addLateEntry() {
      await entries.batchCreateEntry({ entries: [late] });
    },
    async removeLateEntry() {
      await entries.batchDeleteEntry({ ids: ['0-late'] });
    },
    async mintJwt(path, audience) {
      const { svid } = await channel
        .client(SVID)
        .mintJWTSVID({ id: { trustDomain: TRUST_DOMAIN, path }, audience });
      return svid?.token ?? '';
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

async function configs(folder: string, port: number) {
  const load = { ...configFiles, cwd: folder, environment: {}, openLog: async () => silentLog };
  const [serverPath, agentPath] = [join(folder, 'server.conf'), join(folder, 'agent.conf')];
  await writeFile(
    serverPath,
    `server {
       bind_address = "127.0.0.1" bind_port = ${port} trust_domain = "${TRUST_DOMAIN}"
       socket_path = "${folder}/server.sock" data_dir = "${folder}/server"
     }
     plugins {
       DataStore "sql" { plugin_data { database_type = "sqlite3" connection_string = "${folder}/server/db.sqlite3" } }
       KeyManager "memory" {}
       NodeAttestor "join_token" {}
     }`,
  );
  await writeFile(
    agentPath,
    `agent {
       data_dir = "${folder}/agent" trust_domain = "${TRUST_DOMAIN}"
       server_address = "127.0.0.1" server_port = ${port}
       socket_path = "${folder}/public/api.sock" trust_bundle_path = "${folder}/bundle.pem"
       join_token = "local-apis"
       experimental { sync_interval = "200ms" }
     }
     plugins { KeyManager "memory" {} NodeAttestor "join_token" {} WorkloadAttestor "unix" {} }`,
  );
  return {
    server: await loadServerConfig({ config: serverPath }, load),
    agent: await loadAgentConfig({ config: agentPath }, load),
  };
}

type Channel = ReturnType<typeof dial>;

async function fill(channel: Channel, uid: number, bundlePath: string): Promise<void> {
  const bundles = channel.client(Bundle);
  const own = await bundles.getBundle({});
  const pem = own.x509Authorities.map(({ asn1 }) => pemOf(asn1)).join('');
  await writeFile(bundlePath, pem);
  const foreign = readPem(await readFile(join(import.meta.dirname, '../cli/files/b.test.pem')));
  const x509Authorities = foreign.map(({ der }) => ({ asn1: der }));
  await bundles.batchSetFederatedBundle({ bundle: [{ trustDomain: 'b.test', x509Authorities }] });
  await channel.client(Agent).createJoinToken({ token: 'local-apis', ttl: 600 });
  const federatesWith = ['b.test'];
  const { results } = await channel.client(Entry).batchCreateEntry({
    entries: [
      entry('1-web', uid, '/web', {
        hint: 'internal',
        dnsNames: ['web.local.test'],
        federatesWith,
      }),
      entry('2-delegate', uid, '/delegate'),
      entry('3-other', 4242, '/other'),
      entry('4-admin', 4300, '/admin', { admin: true }),
      entry('5-down', 4300, '/down', { downstream: true, federatesWith }),
    ],
  });
  for (const { status } of results) if (status?.code !== 0) throw new Error(status?.message);
}

const pemOf = (der: Uint8Array): string =>
  `-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString('base64')}\n-----END CERTIFICATE-----\n`;

const entry = (id: string, uid: number, path: string, more: object = {}) => ({
  id,
  parentId: AGENT,
  spiffeId: { trustDomain: TRUST_DOMAIN, path },
  selectors: [{ type: 'unix', value: `uid:${uid}` }],
  ...more,
});

/**
 * A process of a stranger's uid that passes everything on, so that the agent takes our calls for its; undefined if
 * that user may not run our Node. It is started as that user: one that changes its user while it runs is refused.
 */
async function relay(target: string): Promise<Relay | undefined> {
  const script = `
    const { createServer, connect } = require('node:net');
    createServer((near) => {
      const far = connect(${JSON.stringify(target)});
      near.pipe(far).pipe(near);
      for (const end of [near, far]) end.on('error', () => { near.destroy(); far.destroy(); });
    }).listen(0, '127.0.0.1', function () { console.log(this.address().port); });`;
  const child = spawn(process.execPath, ['-e', script], {
    uid: STRANGER_UID,
    gid: STRANGER_UID,
    cwd: '/',
    env: {},
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const started = await Promise.race([
    once(child.stdout, 'data') as Promise<[Buffer]>,
    once(child, 'error').then(() => undefined),
  ]).catch(() => undefined);
  if (started === undefined) return undefined;
  return {
    address: `127.0.0.1:${started[0].toString().trim()}`,
    async [Symbol.asyncDispose]() {
      child.kill();
      await once(child, 'exit');
    },
  };
}

type Relay = AsyncDisposable & { readonly address: string };
