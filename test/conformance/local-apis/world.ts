import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { readPem } from '../../../src/crypto/pem.ts';
import { type Channel, dial } from '../../../src/rpc/dial.ts';
import { Logger } from '../../../src/wire/gen/spire/api/agent/logger/v1/logger_pb.ts';
import { Agent } from '../../../src/wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { Bundle } from '../../../src/wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import { Entry } from '../../../src/wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import { SVID } from '../../../src/wire/gen/spire/api/server/svid/v1/svid_pb.ts';
import { LogLevel } from '../../../src/wire/gen/spire/api/types/logger_pb.ts';
import { eventually } from '../../kit/programs.ts';
import { dialLocal } from '../../kit/server-callers.ts';
import { TrustDomainProcesses } from '../../kit/trust-domain.ts';
import { Workload } from '../../kit/workload.ts';
import type { Authorities } from './marks.ts';

/** Nobody on purpose: no entry matches it. */
const STRANGER_UID = 65_534;
/** The user of the entry `/other`. */
const OTHER_UID = 4242;
const TRUST_DOMAIN = 'local.test';
const AGENT = { trustDomain: TRUST_DOMAIN, path: '/spire/agent/join_token/local-apis' };

export type World = AsyncDisposable & {
  /** The public socket, for a process of our own uid. */
  readonly address: string;
  /** The public socket as a process of another uid reaches it; undefined where we cannot start one. */
  readonly strangersAddress: string | undefined;
  readonly authorities: Authorities;
  /** The admin socket, for a process of our own uid. */
  readonly adminAddress: string;
  /** The admin socket as a process of another uid sees it: what its kernel says when that connects. */
  connectAsStranger(): Promise<string>;
  /** A process of the user of the entry `/other`; undefined where we cannot start one. */
  readonly othersPid: number | undefined;
  /** Resolves once the agent has heard of it. */
  addLateEntry(): Promise<void>;
  /** The same. */
  removeLateEntry(): Promise<void>;
  mintJwt(path: string, audience: string[]): Promise<string>;
};

/** What is asked on the way there. */
export type WorldSteps = {
  readonly beforeEntries: (world: World) => Promise<void>;
  /** Every entry but `/delegate` is there. */
  readonly beforeDelegate: (world: World) => Promise<void>;
};

/** The trust domain of the recorded answers: `local.test` with its entries, an agent, and the bundle of `b.test`. */
export async function startWorld(steps: WorldSteps): Promise<World> {
  await using opened = new AsyncDisposableStack();
  const domain = opened.use(
    await TrustDomainProcesses.create({
      name: TRUST_DOMAIN,
      syncInterval: '200ms',
      adminSocket: true,
      agent: 'authorized_delegates = ["spiffe://local.test/delegate"]',
    }),
  );
  await domain.startServer();
  const channel = opened.use(dialLocal(domain));
  const uid = process.getuid?.() ?? 0;
  const authorities = await fill(channel);
  await domain.writeBundle();
  await domain.startAgent('-joinToken', 'local-apis', '-logLevel', 'WARN');
  const startedAt = Date.now();
  const own = opened.use(new Workload(domain.agentSocket));
  const strangers = uid === 0 ? await domain.socketFor(STRANGER_UID) : undefined;
  const other =
    uid === 0 ? domain.run(['/bin/sleep', '600'], { uid: OTHER_UID, cwd: '/' }) : undefined;

  const entries = channel.client(Entry);
  const adminAddress = `unix:${domain.firstAgent.adminSocket}`;
  const late = entry('0-late', uid, '/late', { hint: 'internal' });
  // An entry that an older one keeps out of the answers is seen in the log only.
  const agentSays = async (what: string, change: () => Promise<unknown>) => {
    await setLogLevel(adminAddress, LogLevel.DEBUG);
    const seen = domain.agent.stdout.length;
    await change();
    const line = new RegExp(`msg="${what}" entry=0-late`);
    await eventually(() => line.test(domain.agent.stdout.slice(seen)), what);
    await setLogLevel(adminAddress, LogLevel.WARN);
  };
  const world: World = {
    address: `unix:${domain.agentSocket}`,
    strangersAddress: strangers && `unix:${strangers}`,
    authorities,
    adminAddress,
    connectAsStranger: () => connectAs(STRANGER_UID, domain.firstAgent.adminSocket),
    othersPid: other?.child.pid,
    async addLateEntry() {
      await agentSays('SVID updated', () => entries.batchCreateEntry({ entries: [late] }));
    },
    async removeLateEntry() {
      await agentSays('Entry removed', () => entries.batchDeleteEntry({ ids: ['0-late'] }));
    },
    async mintJwt(path, audience) {
      const { svid } = await channel
        .client(SVID)
        .mintJWTSVID({ id: { trustDomain: TRUST_DOMAIN, path }, audience });
      return svid?.token ?? '';
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
  // Less than a second of uptime is 0, and JSON leaves that out.
  await eventually(() => Date.now() - startedAt > 1100, 'a second');
  await steps.beforeEntries(world);
  await createEntries(channel, ...entriesBeforeDelegate(uid));
  await own.has(domain.id('/web'));
  await steps.beforeDelegate(world);
  await createEntries(channel, entry('2-delegate', uid, '/delegate'));
  await own.has(domain.id('/web'), domain.id('/delegate'));
  const running = opened.move();
  return world;
}

async function setLogLevel(address: string, newLevel: LogLevel): Promise<void> {
  using channel = dial({ address });
  await channel.client(Logger).setLogLevel({ newLevel });
}

/** The code of what went wrong, or nothing. */
function connectAs(uid: number, path: string): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = asUser(uid, () => connect(path));
  socket.once('connect', () => {
    resolve('');
  });
  socket.once('error', (error: NodeJS.ErrnoException) => {
    resolve(error.code ?? '');
  });
  return promise.finally(() => socket.destroy());
}

/** What the kernel is asked meanwhile, it is asked by that user. */
function asUser<T>(uid: number, action: () => T): T {
  const groups = process.getgroups?.() ?? [];
  process.setgroups?.([]);
  process.setegid?.(uid);
  process.seteuid?.(uid);
  try {
    return action();
  } finally {
    process.seteuid?.(0);
    process.setegid?.(0);
    process.setgroups?.(groups);
  }
}

/** What is in the server before the agent starts. */
async function fill(channel: Channel): Promise<Authorities> {
  const bundles = channel.client(Bundle);
  const foreign = readPem(await readFile(join(import.meta.dirname, '../cli/files/b.test.pem')));
  const x509Authorities = foreign.map(({ der }) => ({ asn1: der }));
  await bundles.batchSetFederatedBundle({ bundle: [{ trustDomain: 'b.test', x509Authorities }] });
  await channel.client(Agent).createJoinToken({ token: 'local-apis', ttl: 600 });
  const own = await bundles.getBundle({});
  return {
    certificates: [
      ...own.x509Authorities.map(({ asn1 }) => asn1),
      ...foreign.map(({ der }) => der),
    ],
    keyIds: own.jwtAuthorities.map(({ keyId }) => keyId),
  };
}

const entriesBeforeDelegate = (uid: number) => [
  entry('1-web', uid, '/web', {
    hint: 'internal',
    dnsNames: ['web.local.test'],
    federatesWith: ['b.test'],
  }),
  entry('3-other', OTHER_UID, '/other'),
  entry('4-admin', 4300, '/admin', { admin: true }),
  entry('5-down', 4300, '/down', { downstream: true, federatesWith: ['b.test'] }),
];

async function createEntries(
  channel: Channel,
  ...entries: readonly ReturnType<typeof entry>[]
): Promise<void> {
  const { results } = await channel.client(Entry).batchCreateEntry({ entries: [...entries] });
  for (const { status } of results) if (status?.code !== 0) throw new Error(status?.message);
}

const entry = (id: string, uid: number, path: string, more: object = {}) => ({
  id,
  parentId: AGENT,
  spiffeId: { trustDomain: TRUST_DOMAIN, path },
  selectors: [{ type: 'unix', value: `uid:${uid}` }],
  ...more,
});
