import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import { generateKey } from '../../src/crypto/keys.ts';
import type { Certificate } from '../../src/crypto/x509/certificate.ts';
import { verifyX509Svid } from '../../src/spiffe/x509-svid.ts';
import { bundleFromProto } from '../../src/wire/bundle.ts';
import { Agent } from '../../src/wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { Bundle } from '../../src/wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import { FolderWatch } from '../kit/folder-watch.ts';
import { eventually } from '../kit/programs.ts';
import type { SeededRandom } from '../kit/seeded-random.ts';
import { attestWithToken, dialLocal } from '../kit/server-callers.ts';
import type { AgentProcess, TrustDomainProcesses } from '../kit/trust-domain.ts';
import { leafOf, Workload } from '../kit/workload.ts';
import { checkAgentFiles, storedLeaf } from './agent-files.ts';

/** Until an agent that need not attest serves its workloads, or a little longer. */
const MAX_RUN_MILLISECONDS = 1000;
/** A file is replaced by what a folder shows as so many changes. */
const CHANGES_PER_WRITE = 4;
/** To its first SVID an agent tries its folder, makes a key, counts its attempt, and stores what it got, twice. */
const CHANGES_AT_ATTESTATION = 4 * CHANGES_PER_WRITE + 2;
/** Between a write and what comes next: a call to the server, at most. */
const MAX_GAP_MILLISECONDS = 20;
/** New authorities reach agents with the next synchronisation. */
const SYNC_MILLISECONDS = 3000;
/** An agent's SVID may be replaced when so much of its life is left, and must be when so much is. */
const LEFT_WHEN_POSSIBLE = 0.55;
const LEFT_WHEN_DUE = 0.45;

/** Between the decision to kill it and its end. */
const MAX_STOP_MILLISECONDS = 1000;

const RENEWED = /Successfully (?:rotated agent SVID|reattested node)/;
const ADVICE =
  /level=error msg="A join token lets an agent in once: make another with \\"spire-server token generate\\"/;

export type AgentLifeOptions = {
  readonly domain: TrustDomainProcesses;
  readonly agent: AgentProcess;
  /** The path of what its workloads are. */
  readonly workload: string;
  readonly attestor: 'join_token' | 'x509pop';
  readonly random: SeededRandom;
};

/** One agent, killed again and again, and what must be true of it after each kill. */
export class AgentLife implements AsyncDisposable {
  kills = 0;
  readonly #options: AgentLifeOptions;
  #flags: readonly string[] = [];
  /** Whether it has served a workload: then it must never attest because of a kill. */
  #hasServed = false;

  constructor(options: AgentLifeOptions) {
    this.#options = options;
  }

  /** Kills it somewhere between its start and its first SVID for a workload. */
  async killWhileAttesting(): Promise<void> {
    const { agent, random, attestor } = this.#options;
    await mkdir(agent.dataDirectory, { recursive: true });
    if (attestor === 'join_token') this.#flags = ['-joinToken', await this.#newToken()];
    using files = new FolderWatch(agent.dataDirectory, /./);
    const program = agent.run(...this.#flags);
    await Promise.race([
      files.seen(1 + random.integer(CHANGES_AT_ATTESTATION)),
      program.says(/Starting agent APIs|A join token lets/),
    ]);
    await pause(random.next() * MAX_GAP_MILLISECONDS);
    await this.#kill();
  }

  /** Kills it with a key and without an SVID, and then spends its token. */
  async killWithItsTokenSpent(): Promise<void> {
    const { agent, domain } = this.#options;
    await mkdir(agent.dataDirectory, { recursive: true });
    const token = await this.#newToken();
    this.#flags = ['-joinToken', token];
    using files = new FolderWatch(agent.dataDirectory, /^keys/);
    agent.run(...this.#flags);
    await files.seen(CHANGES_PER_WRITE);
    await this.#kill();
    if (this.#isUnspent()) await attestWithToken(domain, token);
    assert.equal(await storedLeaf(agent.dataDirectory), undefined, 'killed too late');
  }

  async killAnytime(): Promise<void> {
    await this.start();
    await pause(this.#options.random.next() * MAX_RUN_MILLISECONDS);
    await this.#kill();
  }

  /** Kills it while it stores a new bundle. */
  async killWhileSynchronizing(): Promise<void> {
    await this.start();
    const { agent, random } = this.#options;
    using files = new FolderWatch(agent.dataDirectory, /^agent-data/);
    await this.#changeBundle();
    await Promise.race([
      files.seen(1 + random.integer(CHANGES_PER_WRITE)),
      pause(SYNC_MILLISECONDS, undefined, { ref: false }),
    ]);
    await this.#kill();
  }

  /** Kills it between the new key and the new SVID, or somewhere near. */
  async killWhileRenewing(): Promise<void> {
    const { agent, random } = this.#options;
    await this.#untilDue();
    using files = new FolderWatch(agent.dataDirectory, /^keys/);
    const program = agent.run();
    await Promise.race([files.seen(1 + random.integer(CHANGES_PER_WRITE)), program.says(RENEWED)]);
    await pause(random.next() * MAX_GAP_MILLISECONDS);
    await this.#kill();
  }

  /** Starts it as whoever looks after it would, and has a workload fetch its SVID. */
  async start(): Promise<void> {
    const { agent, attestor } = this.#options;
    const leaf = await checkAgentFiles(agent.dataDirectory);
    if (leaf === undefined) {
      assert.ok(!this.#hasServed, 'it had an SVID, and lost it');
      if (attestor === 'join_token' && !this.#isUnspent()) await this.#refusedForItsToken();
      await agent.start(...this.#flags);
    } else if (!agent.program.running) {
      if (attestor === 'join_token') await this.#startWithSvid();
      else await this.#startUnlessReplaced(leaf);
    }
    await this.#checkWorkload();
    this.#hasServed = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#options.agent.program.stop();
  }

  async #startWithSvid(): Promise<void> {
    const { agent } = this.#options;
    await agent.start();
    assert.match(agent.program.output, /SVID loaded/);
    assert.doesNotMatch(agent.program.output, /Starting node attestation/);
  }

  /**
   * Where it was killed after the server had attested it again, and before it stored its new SVID, the former one
   * counts no more. It then ends as SPIRE's does (`reference/agent.md` §2.6), and attests at the next start.
   */
  async #startUnlessReplaced(leaf: Certificate): Promise<void> {
    try {
      await this.#startWithSvid();
    } catch (error) {
      assert.match(String(error), /Agent needs to re-attest: removing SVID and shutting down/);
      assert.ok(!(await this.#isActive(leaf)), 'the SVID that it was refused with is active');
      await this.#options.agent.start();
    }
  }

  /** Whether the server takes it for the agent's SVID. */
  async #isActive({ uris, serialNumber }: Certificate): Promise<boolean> {
    const { domain } = this.#options;
    using channel = dialLocal(domain);
    const path = uris[0]?.slice(domain.id('').length) ?? '';
    const id = { trustDomain: domain.name, path };
    const { x509svidSerialNumber } = await channel.client(Agent).getAgent({ id });
    return x509svidSerialNumber === serialNumber.toString();
  }

  /** Its token was spent on an SVID that it had not stored yet. It says so, and another token helps. */
  async #refusedForItsToken(): Promise<void> {
    const program = this.#options.agent.run(...this.#flags);
    await program.says(ADVICE);
    await program.says(/join token does not exist or has already been used/);
    await program.stop('SIGKILL');
    this.#flags = ['-joinToken', await this.#newToken()];
  }

  async #checkWorkload(): Promise<void> {
    const { domain, agent, workload } = this.#options;
    using api = new Workload(agent.socket);
    await api.has(domain.id(workload));
    const { svids } = await api.x509();
    using channel = dialLocal(domain);
    const bundle = bundleFromProto(await channel.client(Bundle).getBundle({}));
    for (const svid of svids) {
      const now = Math.floor(Date.now() / 1000);
      const { id } = await verifyX509Svid([leafOf(svid).der], () => bundle, now);
      assert.equal(id.toString(), domain.id(workload));
    }
  }

  async #kill(): Promise<void> {
    const { agent } = this.#options;
    const { program } = agent;
    const { signal } = await program.stop('SIGKILL');
    assert.equal(signal, 'SIGKILL', `it ended by itself:\n${program.output}`);
    this.kills++;
    const leaf = await checkAgentFiles(agent.dataDirectory);
    if (this.#hasServed) assert.ok(leaf, 'it had an SVID, and lost it');
  }

  /** Until the SVID that it has stored is to be replaced at its next start. Nothing runs meanwhile. */
  async #untilDue(): Promise<void> {
    await this.start();
    const { dataDirectory } = this.#options.agent;
    const isFresh = async () => {
      const leaf = await storedLeaf(dataDirectory);
      const possible = leaf === undefined ? 0 : momentOf(leaf, LEFT_WHEN_POSSIBLE);
      return Date.now() < possible - MAX_STOP_MILLISECONDS;
    };
    await eventually(isFresh, 'an SVID that is not being replaced');
    await this.#kill();
    const leaf = await storedLeaf(dataDirectory);
    assert.ok(leaf);
    await pause(Math.max(0, momentOf(leaf, LEFT_WHEN_DUE) - Date.now()));
  }

  async #newToken(): Promise<string> {
    const { domain } = this.#options;
    using channel = dialLocal(domain);
    const agentId = { trustDomain: domain.name, path: '/node' };
    const { value } = await channel.client(Agent).createJoinToken({ ttl: 3600, agentId });
    return value;
  }

  #isUnspent(): boolean {
    using database = new DatabaseSync(this.#options.domain.path('server/datastore.sqlite3'), {
      readOnly: true,
    });
    const [, token = ''] = this.#flags;
    return database.prepare('select 1 from join_tokens where token = ?').get(token) !== undefined;
  }

  async #changeBundle(): Promise<void> {
    using channel = dialLocal(this.#options.domain);
    const { publicKey } = await generateKey('ec-p256');
    const authority = { keyId: randomUUID(), publicKey: publicKey.spki, expiresAt: 4_000_000_000n };
    await channel.client(Bundle).appendBundle({ jwtAuthorities: [authority] });
  }
}

/** When so much of its life is left, in milliseconds. */
const momentOf = ({ notBefore, notAfter }: Certificate, left: number): number =>
  (notAfter - (notAfter - notBefore) * left) * 1000;
