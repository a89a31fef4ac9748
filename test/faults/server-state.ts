import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { subjectKeyId } from '../../src/crypto/keys.ts';
import { readKeysFile } from '../../src/plugins/key-manager/disk/keys-file.ts';
import { decodeEntries, type JournalEntries, Status } from '../../src/server/ca/journal.ts';
import { activateTime, prepareTime } from '../../src/server/ca/thresholds.ts';
import type { Bundle as OwnBundle } from '../../src/spiffe/bundle.ts';
import { bundleFromProto } from '../../src/wire/bundle.ts';
import { Agent } from '../../src/wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { Bundle } from '../../src/wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import { Entry } from '../../src/wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import type { Entry as EntryMessage } from '../../src/wire/gen/spire/api/types/entry_pb.ts';
import { dialLocal } from '../kit/server-callers.ts';
import type { TrustDomainProcesses } from '../kit/trust-domain.ts';

/** All that the test gives an entry. */
export type EntryFacts = {
  readonly id: string;
  readonly path: string;
  readonly selectors: readonly string[];
  readonly dnsNames: readonly string[];
  readonly hint: string;
  readonly federatesWith: readonly string[];
  readonly revision: number;
};

/** As a ledger keeps it. */
export const entryState = (facts: EntryFacts): string =>
  JSON.stringify({
    ...facts,
    selectors: facts.selectors.toSorted(),
    dnsNames: facts.dnsNames.toSorted(),
    federatesWith: facts.federatesWith.toSorted(),
  });

export type ServerState = {
  /** What the ledger knows, by its names. */
  readonly known: ReadonlyMap<string, string>;
  readonly bundle: OwnBundle;
};

/** What a running server tells of itself, and its tables where it tells nothing: of tokens. */
export async function serverState(domain: TrustDomainProcesses): Promise<ServerState> {
  using channel = dialLocal(domain);
  const { entries } = await channel.client(Entry).listEntries({});
  const { agents } = await channel.client(Agent).listAgents({});
  const bundles = channel.client(Bundle);
  const { bundles: federated } = await bundles.listFederatedBundles({});
  const bundle = bundleFromProto(await bundles.getBundle({}));
  using database = openTables(domain);
  const tokens = database.prepare('select token from join_tokens').all();
  return {
    known: new Map([
      ...entries.map((entry) => nameAndState(entry)),
      ...agents.map(({ id, banned, x509svidSerialNumber: serial }): [string, string] => [
        `agent ${lastSegment(id?.path)}`,
        banned ? 'banned' : `serial ${serial}`,
      ]),
      ...tokens.map(({ token }): [string, string] => [`token ${String(token)}`, 'unspent']),
      ...federated.map(({ trustDomain, sequenceNumber }): [string, string] => [
        `bundle ${trustDomain}`,
        `sequence ${sequenceNumber}`,
      ]),
      ...bundle.jwtAuthorities.flatMap(({ keyId }): [string, string][] =>
        keyId.startsWith('caller-') ? [[`authority ${keyId}`, 'held']] : [],
      ),
    ]),
    bundle,
  };
}

function nameAndState(entry: EntryMessage): [name: string, state: string] {
  const path = entry.spiffeId?.path ?? '';
  const selectors = entry.selectors.map(({ type, value }) => `${type}:${value}`);
  const parent = entry.parentId?.path ?? '';
  if (parent !== '/node') {
    assert.equal(selectors.length, 1, `the alias ${path} of ${parent}`);
    return [`alias ${lastSegment(parent)}`, path];
  }
  const { id, dnsNames, hint, federatesWith, revisionNumber } = entry;
  const revision = Number(revisionNumber);
  const facts = { id, path, selectors, dnsNames, hint, federatesWith, revision };
  return [`entry ${id}`, entryState(facts)];
}

const lastSegment = (path = ''): string => path.split('/').at(-1) ?? '';

const openTables = (domain: TrustDomainProcesses): DatabaseSync =>
  new DatabaseSync(domain.path('server/datastore.sqlite3'), { readOnly: true });

/** Rows that a transaction kept in part would leave; each must count none. */
const halfDone: Readonly<Record<string, string>> = {
  'entries without selectors': `select count(*) as n from registered_entries
    where id not in (select registered_entry_id from selectors)`,
  'selectors without their entry': `select count(*) as n from selectors
    where registered_entry_id not in (select id from registered_entries)`,
  'DNS names without their entry': `select count(*) as n from dns_names
    where registered_entry_id not in (select id from registered_entries)`,
  'federation without its entry or bundle': `select count(*) as n
    from federated_registration_entries
    where registered_entry_id not in (select id from registered_entries)
    or bundle_id not in (select id from bundles)`,
  'entries whose writes nobody was told of': `select count(*) as n from registered_entries as e
    where revision_number + 1 >
    (select count(*) from registered_entries_events as v where v.entry_id = e.entry_id)`,
  'agents nobody was told of': `select count(*) as n from attested_node_entries
    where spiffe_id not in (select spiffe_id from attested_node_entries_events)`,
  'agents whose token is not spent': `select count(*) as n from join_tokens
    where exists (select 1 from attested_node_entries
      where spiffe_id like '%/spire/agent/join_token/' || token)`,
};

/** SQLite's own opinion, and that no transaction was kept in part. */
export function checkTables(domain: TrustDomainProcesses): void {
  using database = openTables(domain);
  const { integrity_check } = database.prepare('pragma integrity_check').get() ?? {};
  assert.equal(integrity_check, 'ok');
  assert.deepEqual(database.prepare('pragma foreign_key_check').all(), []);
  for (const [what, sql] of Object.entries(halfDone)) {
    assert.equal(database.prepare(sql).get()?.['n'], 0, what);
  }
}

/** An authority that signs. The times are Unix seconds. */
export type SigningAuthority = {
  readonly id: string;
  /** After this moment a start makes another. */
  readonly successorDue: number;
  /** After this moment another may sign. */
  readonly until: number;
};
export type Signing = Record<'x509' | 'jwt', SigningAuthority>;

/** That the journal, keys.json and the bundle tell of the same authorities. Resolves with those that sign. */
export async function checkAuthorities(
  domain: TrustDomainProcesses,
  bundle: OwnBundle,
): Promise<Signing> {
  const path = domain.path('server/keys.json');
  const keys = new Map((await readKeysFile(path)).map((key) => [key.id, key.publicKey.spki]));
  const keyIds = [...keys.values()].map((spki) => Buffer.from(subjectKeyId(spki)).toString('hex'));
  const rows = journals(domain).filter(({ activeId }) => keyIds.includes(activeId));
  assert.equal(rows.length, 1, 'journals that go with keys.json');
  const { entries, activeId } = rows[0] ?? assert.fail();

  const x509 = active(entries.x509CAs);
  assert.equal(x509.authorityId, activeId);
  const ca = bundle.x509Authorities.find(({ der }) => same(der, x509.certificate));
  assert.ok(ca, 'the active X.509 authority is in the bundle');
  const caKey = keys.get(`x509-CA-${x509.slotId}`) ?? assert.fail('its key is in keys.json');
  assert.equal(Buffer.from(subjectKeyId(caKey)).toString('hex'), activeId);

  const jwt = active(entries.jwtKeys);
  const jwtKey = keys.get(`JWT-Signer-${jwt.slotId}`) ?? assert.fail('its key is in keys.json');
  assert.ok(same(jwtKey, jwt.publicKey), 'the active JWT key is the one in keys.json');
  const published = bundle.jwtAuthorities.find(({ keyId }) => keyId === jwt.kid);
  assert.ok(published && same(published.publicKey, jwtKey), 'the active JWT key is in the bundle');
  return { x509: signing(x509), jwt: signing(jwt) };
}

function journals(domain: TrustDomainProcesses) {
  using database = openTables(domain);
  const rows = database.prepare('select data, active_x509_authority_id as id from ca_journals');
  return rows.all().map(({ data, id }) => ({
    entries: decodeEntries(data as Uint8Array),
    activeId: String(id),
  }));
}

/** The one that signs. Those that ended while the server was down are not called old any more. */
function active<E extends JournalEntries['x509CAs' | 'jwtKeys']>(entries: readonly E[]): E {
  const [signs, ...others] = entries.filter(({ status }) => status === Status.ACTIVE).toReversed();
  const now = BigInt(Math.floor(Date.now() / 1000));
  assert.ok(
    others.every(({ notAfter }) => notAfter <= now),
    'one is active',
  );
  return signs ?? assert.fail('none is active');
}

function signing(entry: JournalEntries['x509CAs' | 'jwtKeys']): SigningAuthority {
  const life = { issuedAt: Number(entry.issuedAt), notAfter: Number(entry.notAfter) };
  return { id: entry.authorityId, successorDue: prepareTime(life), until: activateTime(life) };
}

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
