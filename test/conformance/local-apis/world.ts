import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readPem } from '../../../src/crypto/pem.ts';
import type { Channel } from '../../../src/rpc/dial.ts';
import { Agent } from '../../../src/wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { Bundle } from '../../../src/wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import { Entry } from '../../../src/wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import { SVID } from '../../../src/wire/gen/spire/api/server/svid/v1/svid_pb.ts';
import { eventually } from '../../kit/programs.ts';
import { dialLocal } from '../../kit/server-callers.ts';
import { TrustDomainProcesses } from '../../kit/trust-domain.ts';
import { Workload } from '../../kit/workload.ts';
import type { Authorities } from './marks.ts';

/** Nobody on purpose: no entry matches it. */
const STRANGER_UID = 65_534;
const TRUST_DOMAIN = 'local.test';
const AGENT = { trustDomain: TRUST_DOMAIN, path: '/spire/agent/join_token/local-apis' };

export type World = AsyncDisposable & {
  /** The public socket, for a process of our own uid. */
  readonly address: string;
  /** The public socket as a process of another uid reaches it; undefined where we cannot start one. */
  readonly strangersAddress: string | undefined;
  readonly authorities: Authorities;
  /** Resolves once the agent has heard of it. */
  addLateEntry(): Promise<void>;
  /** The same. */
  removeLateEntry(): Promise<void>;
  mintJwt(path: string, audience: string[]): Promise<string>;
};

/** The trust domain of the recorded answers: `local.test` with its entries, an agent, and the bundle of `b.test`. */
export async function startWorld(): Promise<World> {
  await using opened = new AsyncDisposableStack();
  const domain = opened.use(
    await TrustDomainProcesses.create({ name: TRUST_DOMAIN, syncInterval: '200ms' }),
  );
  await domain.startServer();
  const channel = opened.use(dialLocal(domain));
  const uid = process.getuid?.() ?? 0;
  const authorities = await fill(channel, uid);
  await domain.writeBundle();
  await domain.startAgent('-joinToken', 'local-apis');
  const own = opened.use(new Workload(domain.agentSocket));
  await own.has(domain.id('/web'), domain.id('/delegate'));
  const strangers = uid === 0 ? await domain.socketFor(STRANGER_UID) : undefined;

  const entries = channel.client(Entry);
  const late = entry('0-late', uid, '/late', { hint: 'internal' });
  // An entry that an older one keeps out of the answers is seen in the log only.
  const agentSays = async (what: string, change: () => Promise<unknown>) => {
    const seen = domain.agent.stdout.length;
    await change();
    const line = new RegExp(`msg="${what}" entry=0-late`);
    await eventually(() => line.test(domain.agent.stdout.slice(seen)), what);
  };
  const running = opened.move();
  return {
    address: `unix:${domain.agentSocket}`,
    strangersAddress: strangers && `unix:${strangers}`,
    authorities,
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
}

/** What is in the server before the agent starts. */
async function fill(channel: Channel, uid: number): Promise<Authorities> {
  const bundles = channel.client(Bundle);
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
  const own = await bundles.getBundle({});
  return {
    certificates: [
      ...own.x509Authorities.map(({ asn1 }) => asn1),
      ...foreign.map(({ der }) => der),
    ],
    keyIds: own.jwtAuthorities.map(({ keyId }) => keyId),
  };
}

const entry = (id: string, uid: number, path: string, more: object = {}) => ({
  id,
  parentId: AGENT,
  spiffeId: { trustDomain: TRUST_DOMAIN, path },
  selectors: [{ type: 'unix', value: `uid:${uid}` }],
  ...more,
});
