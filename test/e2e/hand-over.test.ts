import assert from 'node:assert/strict';
import { chmod, copyFile, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, type TestContext, test } from 'node:test';
import type { DenialReason } from '../../src/base/fault.ts';
import { buildCsr } from '../../src/crypto/csr.ts';
import { generateKey } from '../../src/crypto/keys.ts';
import { parseCertificate } from '../../src/crypto/x509/certificate.ts';
import { Agent } from '../../src/wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { Bundle } from '../../src/wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import { Entry } from '../../src/wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import { LocalAuthority } from '../../src/wire/gen/spire/api/server/localauthority/v1/localauthority_pb.ts';
import { SVID } from '../../src/wire/gen/spire/api/server/svid/v1/svid_pb.ts';
import { temporaryFolder } from '../kit/datastore.ts';
import { readAnswers } from '../kit/hand-over/answers.ts';
import { attest, renew, tokenProof } from '../kit/hand-over/attest.ts';
import { type AgentName, TRUST_DOMAIN } from '../kit/hand-over/history.ts';
import {
  handOverFixture,
  readIdentities,
  readInputs,
  readRecordedAnswers,
} from '../kit/hand-over/inputs.ts';
import { HandOverServer } from '../kit/hand-over/server-process.ts';
import { readTables } from '../kit/hand-over/tables.ts';
import { spireServer } from '../kit/programs.ts';

const inputs = await readInputs();
const identities = await readIdentities();

type Recording = {
  readonly trustDomain: string;
  readonly folder: string;
  /** What SPIRE answered when it was started again on it. */
  readonly answers: string;
};

const rich: Recording = {
  trustDomain: TRUST_DOMAIN,
  folder: handOverFixture,
  answers: 'answers.json',
};
/** Small, with a prepared authority of each kind, WIT keys too. */
const golden: Recording = {
  trustDomain: 'golden.test',
  folder: join(handOverFixture, '../server/data'),
  answers: 'answers-golden.json',
};

/** Our server on a copy of what SPIRE left. */
async function takeOver(t: TestContext, recording = rich): Promise<HandOverServer> {
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, 'data'), { mode: 0o700 });
  for (const name of ['datastore.sqlite3', 'keys.json']) {
    const copy = join(folder, 'data', name);
    await copyFile(join(recording.folder, name), copy);
    await chmod(copy, 0o600);
  }
  const { trustDomain } = recording;
  const server = await HandOverServer.start(spireServer, folder, { ...inputs, trustDomain });
  t.after(() => server[Symbol.asyncDispose]());
  return server;
}

/** What the agent `plain` may serve by its alias, and below its own ID. */
const GROUP = [
  'admin',
  'downstream',
  'empty-attributes',
  'federated-one',
  'federated-two',
  'full',
  'jti',
  'plain',
  'prefetch',
  'stored',
  'updated',
];
/** Of aliases that were made with a token. */
const UUID = /^[0-9a-f]{8}-/;

/** Every row as it is stored. */
function rawRows(file: string): Record<string, unknown[]> {
  using database = new DatabaseSync(file, { readOnly: true });
  const tables = database.prepare("select name from sqlite_master where type = 'table'").all();
  return Object.fromEntries(
    tables.map(({ name }) => [
      String(name),
      database.prepare(`select * from ${String(name)} order by 1, 2`).all(),
    ]),
  );
}

describe('a server on what SPIRE left', { concurrency: 2 }, () => {
  for (const recording of [rich, golden]) {
    const { trustDomain } = recording;
    test(`answers as SPIRE did for ${trustDomain}, and is the same authority`, async (t) => {
      const server = await takeOver(t, recording);
      using local = server.local();
      const answers = await readAnswers(local);
      const recorded = await readRecordedAnswers(recording.answers);
      for (const [name, answer] of Object.entries(recorded)) {
        assert.deepEqual(answers[name], answer, name);
      }

      const key = await generateKey('ec-p256');
      const csr = await buildCsr({ uris: [`spiffe://${trustDomain}/x`], dnsNames: [] }, key);
      const { svid } = await local.client(SVID).mintX509SVID({ csr, ttl: 60 });
      const { active } = await local.client(LocalAuthority).getX509AuthorityState({});
      const leaf = parseCertificate(svid?.certChain[0] ?? new Uint8Array());
      assert.equal(Buffer.from(leaf.authorityKeyId ?? []).toString('hex'), active?.authorityId);
      const minted = await local
        .client(SVID)
        .mintJWTSVID({ id: { trustDomain, path: '/x' }, audience: ['a'], ttl: 60 });
      const [header = ''] = minted.svid?.token.split('.') ?? [];
      const { kid } = JSON.parse(Buffer.from(header, 'base64url').toString()) as { kid: string };
      const jwt = await local.client(LocalAuthority).getJWTAuthorityState({});
      assert.equal(kid, jwt.active?.authorityId);
    });

    test(`changes no row of ${trustDomain} but its own marks`, async (t) => {
      const server = await takeOver(t, recording);
      await server[Symbol.asyncDispose]();
      assert.deepEqual(await server.program.exited, { code: 0, signal: null });
      const [before, after] = [
        rawRows(join(recording.folder, 'datastore.sqlite3')),
        rawRows(server.database),
      ];
      const marks = { ca_journals: ['updated_at'], migrations: ['code_version', 'updated_at'] };
      for (const [table, columns] of Object.entries(marks)) {
        for (const row of [...(before[table] ?? []), ...(after[table] ?? [])]) {
          for (const column of columns) delete (row as Record<string, unknown>)[column];
        }
      }
      assert.deepEqual(after, before);
      const keys = await readFile(join(server.folder, 'data/keys.json'), 'utf8');
      assert.equal(keys, await readFile(join(recording.folder, 'keys.json'), 'utf8'));
    });
  }

  const refused: readonly [name: AgentName, denial: DenialReason][] = [
    ['former', 'not-active'],
    ['banned', 'banned'],
    ['evicted', 'not-attested'],
  ];
  const served: readonly [name: AgentName, entries: readonly string[]][] = [
    ['plain', GROUP],
    ['pending', []],
    ['pendingNext', []],
    ['renewed', []],
    ['node', []],
  ];
  test('knows its agents, and which are agents no more', async (t) => {
    const server = await takeOver(t);
    for (const [name, denial] of refused) {
      using agent = server.network(identities[name]);
      const asked = agent.client(Entry).getAuthorizedEntries({});
      await assert.rejects(asked, { kind: 'denied', denial }, name);
    }
    for (const [name, ids] of served) {
      using agent = server.network(identities[name]);
      const { entries } = await agent.client(Entry).getAuthorizedEntries({});
      const own = entries.map(({ id }) => id).filter((id) => !UUID.test(id));
      assert.deepEqual(own.toSorted(), ids, name);
    }
    // The renewed SVID was shown now, so the one before it is good no more.
    using former = server.network(identities.pending);
    const asked = former.client(Entry).getAuthorizedEntries({});
    await assert.rejects(asked, { kind: 'denied', denial: 'not-active' });
    using plain = server.network(identities.plain);
    assert.equal((await renew(plain)).chain.length, 1);
  });

  test("takes SPIRE's unused token once, and serves what was made with it", async (t) => {
    const server = await takeOver(t);
    for (const token of ['unused', 'unused-with-alias']) {
      using stranger = server.network();
      const identity = await attest(stranger, tokenProof(token));
      using agent = server.network(identity);
      assert.deepEqual(
        (await agent.client(Entry).getAuthorizedEntries({})).entries.length,
        token === 'unused' ? 0 : 1,
      );
      using again = server.network();
      await assert.rejects(
        attest(again, tokenProof(token)),
        /join token does not exist or has already been used/,
      );
    }
    using banned = server.network();
    await assert.rejects(attest(banned, tokenProof('banned')), { kind: 'invalid' });
  });

  test('activates the authority that SPIRE prepared, and revokes the one that it tainted', async (t) => {
    const server = await takeOver(t);
    using local = server.local();
    const authorities = local.client(LocalAuthority);
    const { active, prepared } = await authorities.getX509AuthorityState({});
    const authorityId = prepared?.authorityId ?? '';
    await authorities.activateX509Authority({ authorityId });
    const now = await authorities.getX509AuthorityState({});
    assert.equal(now.active?.authorityId, authorityId);
    assert.equal(now.old?.authorityId, active?.authorityId);
    const former = { authorityId: active?.authorityId ?? '' };
    await authorities.taintX509Authority(former);
    await authorities.revokeX509Authority(former);

    const { old } = await authorities.getJWTAuthorityState({});
    await authorities.revokeJWTAuthority({ authorityId: old?.authorityId ?? '' });
    const { x509Authorities, jwtAuthorities } = await local.client(Bundle).getBundle({});
    assert.deepEqual(
      x509Authorities.map(({ tainted }) => tainted),
      [true, false, false],
    );
    assert.deepEqual(
      jwtAuthorities.map(({ keyId }) => keyId === 'appended-key'),
      [true, false],
    );
  });

  test('can be changed in every way, and SPIRE would read it so', async (t) => {
    const server = await takeOver(t);
    using local = server.local();
    const agents = local.client(Agent);
    const entries = local.client(Entry);
    const { entries: all } = await entries.listEntries({});
    const deleted = await entries.batchDeleteEntry({ ids: all.map(({ id }) => id) });
    assert.ok(deleted.results.every(({ status }) => status?.code === 0));
    for (const { id } of (await agents.listAgents({})).agents) await agents.deleteAgent({ id });
    await server[Symbol.asyncDispose]();
    const tables = readTables(server.database);
    for (const table of ['registered_entries', 'selectors', 'dns_names', 'attested_node_entries']) {
      assert.deepEqual(tables[table], [], table);
    }
  });
});
