import assert from 'node:assert/strict';
import { stat } from 'node:fs/promises';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { readKeysFile } from '../../src/plugins/key-manager/disk/keys-file.ts';
import type { Bundle } from '../../src/spiffe/bundle.ts';
import { verifyJwtSvid } from '../../src/spiffe/jwt-svid.ts';
import { verifyX509Svid } from '../../src/spiffe/x509-svid.ts';
import { FolderWatch } from '../kit/folder-watch.ts';
import { Ledger } from '../kit/ledger.ts';
import { type SeededRandom, withSeed } from '../kit/seeded-random.ts';
import { startServerOnly, type TrustDomainProcesses } from '../kit/trust-domain.ts';
import { AUDIENCE, assertSpent, HAS_EXPIRED, type Issued, Load } from './server-load.ts';
import { checkAuthorities, checkTables, type Signing, serverState } from './server-state.ts';

const KILLS = process.env['FAULTS'] === 'many' ? 75 : 15;
const CALLERS = 4;
/** Some hundred changes. */
const MAX_LOAD_MILLISECONDS = 500;
/** About what a start takes. */
const MAX_START_MILLISECONDS = 600;
/** Each of a start's two new keys is a new keys.json: made, written to, renamed. */
const MAX_WRITES = 8;
/** Between a new keys.json and the end of what follows from it. */
const MAX_ROTATION_MILLISECONDS = 5;

/** Authorities live so shortly that nearly each start makes new ones, or goes over to them. */
const OPTIONS = {
  server: `
    ca_ttl = "4s"
    ratelimit { attestation = false signing = false }`,
};

test(`${KILLS} kills of a server lose nothing that was acknowledged`, (t) =>
  withSeed(async (random) => {
    const domain = await startServerOnly(t, OPTIONS);
    const crash = new ServerCrash(domain, random);
    for (let kill = 1; kill <= KILLS; kill++) {
      const moment = random.pick(moments) ?? assert.fail();
      await crash[moment]();
      t.diagnostic(`kill ${kill} (${moment}), ${crash.ledger.acknowledged} changes so far`);
    }
    await crash.start();
    const exit = await domain.server.stop();
    assert.deepEqual(exit, { code: 0, signal: null });
    assert.ok(crash.ledger.acknowledged > KILLS, 'too little was asked to tell anything');
  }));

const moments = ['killUnderLoad', 'killUnderLoad', 'killAtStart', 'killWhileRotating'] as const;

class ServerCrash {
  readonly ledger = new Ledger();
  readonly #domain: TrustDomainProcesses;
  readonly #random: SeededRandom;
  readonly #issued: Issued[] = [];
  /** So many of them are known to verify. */
  #checked = 0;
  #signing: Signing | undefined;

  constructor(domain: TrustDomainProcesses, random: SeededRandom) {
    this.#domain = domain;
    this.#random = random;
  }

  async killUnderLoad(): Promise<void> {
    await this.start();
    const { ledger } = this;
    const load = new Load({
      domain: this.#domain,
      ledger,
      issued: this.#issued,
      random: this.#random.fork(),
      callers: CALLERS,
    });
    await pause(this.#random.next() * MAX_LOAD_MILLISECONDS);
    load.expectTheEnd();
    await this.#kill();
    await load.ended();
    assert.ok((await stat(this.#domain.serverSocket)).isSocket(), 'the kill leaves its socket');
  }

  async killAtStart(): Promise<void> {
    if (!this.#domain.server.running) this.#domain.runServerProcess();
    await pause(this.#random.next() * MAX_START_MILLISECONDS);
    await this.#kill();
  }

  /** In the middle of writing keys.json, or between that and what comes next. Where there is a successor, after the start. */
  async killWhileRotating(): Promise<void> {
    const due = (this.#signing?.x509.successorDue ?? 0) + 1;
    await pause(Math.max(0, due * 1000 - Date.now()));
    using keys = new FolderWatch(this.#domain.path('server'), /^keys\.json/);
    const { server } = this.#domain;
    const program = server.running ? server : this.#domain.runServerProcess();
    await Promise.race([
      keys.seen(1 + this.#random.integer(MAX_WRITES)),
      program.says(/Starting Server APIs/),
    ]);
    await pause(this.#random.next() * MAX_ROTATION_MILLISECONDS);
    await this.#kill();
  }

  /** Starts the server unless it runs, and compares all there is with all that was acknowledged. */
  async start(): Promise<void> {
    const domain = this.#domain;
    if (!domain.server.running) await this.#startProcess();
    const startedAt = Math.floor(Date.now() / 1000);
    const { known, bundle } = await serverState(domain);
    this.ledger.settle(known);
    checkTables(domain);
    const signing = await checkAuthorities(domain, bundle);
    for (const kind of ['x509', 'jwt'] as const) {
      const before = this.#signing?.[kind];
      if (before === undefined || startedAt > before.until) continue;
      assert.equal(signing[kind].id, before.id, `the ${kind} authority signs on`);
    }
    this.#signing = signing;
    await this.#checkIssued(bundle);
    const spent = this.ledger.settledAs(/^agent /, /./);
    const agent = this.#random.pick(spent);
    if (agent !== undefined) await assertSpent(domain, agent.slice('agent '.length));
  }

  /** Once more where the authority ended after the start had decided to go on with it. */
  async #startProcess(): Promise<void> {
    try {
      await this.#domain.startServer();
    } catch (error) {
      if (!HAS_EXPIRED.test(String(error))) throw error;
      await this.#domain.startServer();
    }
  }

  /** What the bundle vouches for once, it vouches for as long as it lives. */
  async #checkIssued(bundle: Bundle): Promise<void> {
    const news = this.#issued.slice(this.#checked);
    const older = news.flatMap(() => this.#random.pick(this.#issued) ?? []);
    this.#checked = this.#issued.length;
    for (const one of [...news, ...older]) {
      if ('chain' in one) await verifyX509Svid(one.chain, () => bundle, one.at);
      else await verifyJwtSvid(one.token, () => bundle, [AUDIENCE], one.at);
    }
  }

  async #kill(): Promise<void> {
    const { signal } = await this.#domain.server.stop('SIGKILL');
    const { output } = this.#domain.server;
    const isKilled = signal === 'SIGKILL' || HAS_EXPIRED.test(output);
    assert.ok(isKilled, `it ended by itself:\n${output}`);
    const keys = await readKeysFile(this.#domain.path('server/keys.json'));
    assert.ok(keys.length > 0, 'keys.json is whole, whenever it is looked at');
  }
}
