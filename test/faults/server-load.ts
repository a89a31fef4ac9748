import assert from 'node:assert/strict';
import { generateKey } from '../../src/crypto/keys.ts';
import { parseCertificates } from '../../src/crypto/x509/certificate.ts';
import type { Channel, Client } from '../../src/rpc/dial.ts';
import { Agent } from '../../src/wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { Bundle } from '../../src/wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import { Entry } from '../../src/wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import { SVID } from '../../src/wire/gen/spire/api/server/svid/v1/svid_pb.ts';
import type { Status } from '../../src/wire/gen/spire/api/types/status_pb.ts';
import type { Ledger } from '../kit/ledger.ts';
import type { SeededRandom } from '../kit/seeded-random.ts';
import { attestWithToken, dialLocal, mintIdentity } from '../kit/server-callers.ts';
import type { TrustDomainProcesses } from '../kit/trust-domain.ts';
import { type EntryFacts, entryState } from './server-state.ts';

/** What was issued, and when by the caller's clock (Unix seconds). */
export type Issued = { readonly at: number } & (
  | { readonly chain: readonly Uint8Array[] }
  | { readonly token: string }
);

export const AUDIENCE = 'faults';
/** An authority lives for seconds in these tests, and some end before the next start makes others. */
export const HAS_EXPIRED = /already expired as of/;

type Caller = {
  readonly domain: TrustDomainProcesses;
  readonly ledger: Ledger;
  readonly issued: Issued[];
  readonly random: SeededRandom;
  /** In the names of all that this caller makes, so that no two callers change the same thing. */
  readonly prefix: string;
  readonly entries: Client<typeof Entry>;
  readonly agents: Client<typeof Agent>;
  readonly bundles: Client<typeof Bundle>;
  readonly svids: Client<typeof SVID>;
};

export type LoadOptions = Pick<Caller, 'domain' | 'ledger' | 'issued' | 'random'> & {
  readonly callers: number;
};

/** Callers who write one thing after the other, each on its own, from now until the server is killed. */
export class Load {
  readonly #channel: Channel;
  readonly #work: Promise<unknown>;
  #isOver = false;

  constructor({ domain, callers, random, ...shared }: LoadOptions) {
    this.#channel = dialLocal(domain);
    const clients = {
      entries: this.#channel.client(Entry),
      agents: this.#channel.client(Agent),
      bundles: this.#channel.client(Bundle),
      svids: this.#channel.client(SVID),
    };
    const names = Array.from({ length: callers }, (_, index) => `caller-${index}`);
    this.#work = Promise.all(
      names.map((prefix) =>
        this.#run({ domain, ...shared, ...clients, prefix, random: random.fork() }),
      ),
    );
    this.#work.catch(() => undefined); // told by `ended`
  }

  /** To be called right before the kill: from now on calls may fail. */
  expectTheEnd(): void {
    this.#isOver = true;
  }

  /** Rejects with what failed before the end was expected. */
  async ended(): Promise<void> {
    await this.#work;
    this.#channel[Symbol.dispose]();
  }

  async #run(caller: Caller): Promise<void> {
    while (!this.#isOver) {
      const step = caller.random.pick(steps) ?? assert.fail();
      try {
        await step(caller);
      } catch (error) {
        if (this.#isOver) return;
        if (!HAS_EXPIRED.test(String(error))) throw error;
      }
    }
  }
}

type Step = (caller: Caller) => Promise<void>;

const createEntries: Step = async ({ domain, ledger, random, prefix, entries }) => {
  const facts = Array.from({ length: 1 + random.integer(3) }, (): EntryFacts => {
    const name = `${prefix}-${random.integer(2 ** 31)}`;
    return {
      id: name,
      path: `/${name}`,
      selectors: ['unix:uid:1', `unix:user:${name}`],
      dnsNames: [`${name}.test`, 'all.test'],
      hint: 'new',
      federatesWith: bundleNames(prefix).filter((td) => ledger.told(`bundle ${td}`) !== ''),
      revision: 0,
    };
  });
  const call = entries.batchCreateEntry({ entries: facts.map((one) => inputOf(domain, one)) });
  await Promise.all(
    facts.map((one, index) =>
      ledger.change(`entry ${one.id}`, entryState(one), async () => {
        const result = (await call).results[index];
        assertOk(result?.status);
        return entryState(one);
      }),
    ),
  );
};

const updateEntry: Step = async ({ domain, ledger, random, prefix, entries }) => {
  const facts = pickEntry(ledger, random, prefix);
  if (facts === undefined) return;
  const changed: EntryFacts = {
    ...facts,
    selectors: ['unix:uid:2', 'unix:gid:2', `unix:user:${facts.id}`],
    dnsNames: [`${facts.id}.test`],
    hint: `changed-${random.integer(1000)}`,
    revision: facts.revision + 1,
  };
  await ledger.change(`entry ${facts.id}`, entryState(changed), async () => {
    const { results } = await entries.batchUpdateEntry({ entries: [inputOf(domain, changed)] });
    assertOk(results[0]?.status);
    return entryState(changed);
  });
};

const deleteEntry: Step = async ({ ledger, random, prefix, entries }) => {
  const facts = pickEntry(ledger, random, prefix);
  if (facts === undefined) return;
  await ledger.change(`entry ${facts.id}`, '', async () => {
    const { results } = await entries.batchDeleteEntry({ ids: [facts.id] });
    assertOk(results[0]?.status);
    return '';
  });
};

const createToken: Step = async ({ domain, ledger, random, prefix, agents }) => {
  const token = `${prefix}-${random.integer(2 ** 31)}`;
  const agentId = { trustDomain: domain.name, path: `/node/${token}` };
  const call = agents.createJoinToken({ token, ttl: 3600, agentId });
  await Promise.all([
    ledger.change(`token ${token}`, 'unspent', async () => {
      assert.equal((await call).value, token);
      return 'unspent';
    }),
    ledger.change(`alias ${token}`, agentId.path, async () => {
      await call;
      return agentId.path;
    }),
  ]);
};

const spendToken: Step = async ({ domain, ledger, issued, random, prefix }) => {
  const token = pickName(ledger, random, 'token', prefix, /^unspent$/);
  if (token === undefined) return;
  const at = nowSeconds();
  const call = attestWithToken(domain, token);
  await Promise.all([
    ledger.change(`token ${token}`, '', async () => {
      await call;
      return '';
    }),
    ledger.change(`agent ${token}`, /^serial \d+$/, async () => {
      const { chain } = await call;
      issued.push({ at, chain });
      const [leaf] = parseCertificates(chain[0] ?? new Uint8Array());
      return `serial ${leaf?.serialNumber}`;
    }),
  ]);
};

/** It is gone, whatever happens to the server meanwhile. */
const spendTokenAgain: Step = async ({ domain, ledger, random, prefix }) => {
  const token = pickName(ledger, random, 'agent', prefix, /^serial/);
  if (token === undefined) return;
  await assertSpent(domain, token);
};

export async function assertSpent(domain: TrustDomainProcesses, token: string): Promise<void> {
  await assert.rejects(attestWithToken(domain, token), {
    message: 'failed to attest: join token does not exist or has already been used',
  });
}

const banAgent: Step = async ({ domain, ledger, random, prefix, agents }) => {
  const token = pickName(ledger, random, 'agent', prefix, /^serial/);
  if (token === undefined) return;
  await ledger.change(`agent ${token}`, 'banned', async () => {
    const path = `/spire/agent/join_token/${token}`;
    await agents.banAgent({ id: { trustDomain: domain.name, path } });
    return 'banned';
  });
};

const setBundle: Step = async ({ ledger, random, prefix, bundles }) => {
  const trustDomain = random.pick(bundleNames(prefix)) ?? assert.fail();
  const jwtAuthorities = [await newAuthority('key')];
  const state = `sequence ${random.integer(2 ** 31)}`;
  const sequenceNumber = BigInt(state.slice('sequence '.length));
  await ledger.change(`bundle ${trustDomain}`, state, async () => {
    const { results } = await bundles.batchSetFederatedBundle({
      bundle: [{ trustDomain, jwtAuthorities, sequenceNumber, refreshHint: 300n }],
    });
    assertOk(results[0]?.status);
    return `sequence ${results[0]?.bundle?.sequenceNumber}`;
  });
};

const appendAuthority: Step = async ({ ledger, random, prefix, bundles }) => {
  const keyId = `${prefix}-${random.integer(2 ** 31)}`;
  const jwtAuthorities = [await newAuthority(keyId)];
  await ledger.change(`authority ${keyId}`, 'held', async () => {
    const bundle = await bundles.appendBundle({ jwtAuthorities });
    return bundle.jwtAuthorities.some((one) => one.keyId === keyId) ? 'held' : '';
  });
};

const mintX509: Step = async ({ domain, issued, prefix }) => {
  const at = nowSeconds();
  const { chain } = await mintIdentity(domain, domain.id(`/minted/${prefix}`));
  issued.push({ at, chain });
};

const mintJwt: Step = async ({ domain, issued, prefix, svids }) => {
  const at = nowSeconds();
  const id = { trustDomain: domain.name, path: `/minted/${prefix}` };
  const { svid } = await svids.mintJWTSVID({ id, audience: [AUDIENCE], ttl: 3600 });
  issued.push({ at, token: svid?.token ?? '' });
};

/** Some more often than others, so that there is something to change and to spend. */
const steps: readonly Step[] = [
  createEntries,
  createEntries,
  updateEntry,
  deleteEntry,
  createToken,
  createToken,
  spendToken,
  spendToken,
  spendTokenAgain,
  banAgent,
  setBundle,
  appendAuthority,
  mintX509,
  mintJwt,
];

const bundleNames = (prefix: string): readonly string[] => [`${prefix}-a.test`, `${prefix}-b.test`];

function pickEntry(ledger: Ledger, random: SeededRandom, prefix: string): EntryFacts | undefined {
  const id = pickName(ledger, random, 'entry', prefix, /./);
  return id === undefined ? undefined : (JSON.parse(ledger.told(`entry ${id}`)) as EntryFacts);
}

function pickName(
  ledger: Ledger,
  random: SeededRandom,
  what: string,
  prefix: string,
  state: RegExp,
): string | undefined {
  const names = ledger.settledAs(new RegExp(`^${what} ${prefix}-`), state);
  return random.pick(names)?.slice(what.length + 1);
}

const inputOf = (domain: TrustDomainProcesses, facts: EntryFacts) => ({
  id: facts.id,
  spiffeId: { trustDomain: domain.name, path: facts.path },
  parentId: { trustDomain: domain.name, path: '/node' },
  selectors: facts.selectors.map((selector) => {
    const at = selector.indexOf(':');
    return { type: selector.slice(0, at), value: selector.slice(at + 1) };
  }),
  dnsNames: [...facts.dnsNames],
  hint: facts.hint,
  federatesWith: [...facts.federatesWith],
});

const newAuthority = async (keyId: string) => ({
  keyId,
  publicKey: (await generateKey('ec-p256')).publicKey.spki,
  expiresAt: BigInt(nowSeconds() + 3600),
});

const assertOk = (status: Status | undefined): void => {
  assert.deepEqual(status && [status.code, status.message], [0, 'OK']);
};

const nowSeconds = (): number => Math.floor(Date.now() / 1000);
