import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { MemoryCaJournals } from '../../../test/kit/ca-stores.ts';
import { silentLog } from '../../ops/log.ts';
import { JWTKeyEntrySchema, Status } from '../../wire/gen/private/server/journal/journal_pb.ts';
import { decodeEntries, Journal } from './journal.ts';

const entry = (authorityId: string) =>
  create(JWTKeyEntrySchema, { slotId: 'A', authorityId, status: Status.PREPARED });

/** A journal that is written: an X.509 authority is active. */
async function openJournal(store = new MemoryCaJournals()) {
  const journal = await Journal.open({ store, log: silentLog }, []);
  await journal.setStatus('x509CAs', [], 'ca');
  return { store, journal };
}

const stored = (store: MemoryCaJournals) => {
  const row = [...store.rows.values()].at(-1);
  assert.ok(row);
  return decodeEntries(row.data);
};

test('nothing is written before an X.509 authority is active, then everything', async () => {
  const store = new MemoryCaJournals();
  const journal = await Journal.open({ store, log: silentLog }, []);
  await journal.append('jwtKeys', entry('k'));
  assert.equal(store.rows.size, 0);
  await journal.setStatus('x509CAs', [], 'ca');
  assert.deepEqual(stored(store).jwtKeys, [entry('k')]);
  assert.equal(store.rows.get(journal.rowId)?.activeX509AuthorityId, 'ca');
});

test('the row is the first whose active authority is one of those keys', async () => {
  const { store, journal } = await openJournal();
  await journal.append('jwtKeys', entry('k'));
  const found = await Journal.open({ store, log: silentLog }, ['other', 'ca']);
  assert.equal(found.rowId, journal.rowId);
  assert.deepEqual(found.list('jwtKeys'), [entry('k')]);
  const none = await Journal.open({ store, log: silentLog }, ['other']);
  assert.equal(none.rowId, 0);
});

test('a change of status goes to the newest entry of that authority', async () => {
  const { store, journal } = await openJournal();
  await journal.append('jwtKeys', entry('k'));
  await journal.append('jwtKeys', entry('k'));
  await journal.setStatus('jwtKeys', [{ authorityId: 'k', status: Status.ACTIVE }]);
  assert.deepEqual(
    stored(store).jwtKeys.map(({ status }) => status),
    [Status.PREPARED, Status.ACTIVE],
  );
});

test('refuses a change of status of an authority that it does not know', async () => {
  const { journal } = await openJournal();
  const change = [{ authorityId: 'k', status: Status.OLD }];
  await assert.rejects(journal.setStatus('jwtKeys', change), { kind: 'internal' });
});

test('a list holds ten entries; the oldest make room, but never the active one', async () => {
  const { store, journal } = await openJournal();
  await journal.append('jwtKeys', entry('active'));
  await journal.setStatus('jwtKeys', [{ authorityId: 'active', status: Status.ACTIVE }]);
  for (let index = 0; index < 12; index++) await journal.append('jwtKeys', entry(`k${index}`));
  assert.deepEqual(
    stored(store).jwtKeys.map(({ authorityId }) => authorityId),
    ['active', 'k3', 'k4', 'k5', 'k6', 'k7', 'k8', 'k9', 'k10', 'k11'],
  );
});

test('authorities that were active when they ended make room like others', async () => {
  const { store, journal } = await openJournal();
  for (let index = 0; index < 12; index++) {
    const authorityId = `k${index}`;
    await journal.append('jwtKeys', entry(authorityId));
    await journal.setStatus('jwtKeys', [{ authorityId, status: Status.ACTIVE }]);
  }
  assert.deepEqual(
    stored(store).jwtKeys.map(({ authorityId }) => authorityId),
    ['k2', 'k3', 'k4', 'k5', 'k6', 'k7', 'k8', 'k9', 'k10', 'k11'],
  );
});

test('a write that fails is made good by the next, and insisted on by flush', async () => {
  const { store, journal } = await openJournal();
  store.beforeSave = () => {
    throw new Error('disk full');
  };
  await journal.append('jwtKeys', entry('k'));
  await assert.rejects(journal.flush(), { message: 'unable to save the CA journal: disk full' });
  store.beforeSave = () => undefined;
  await journal.flush();
  assert.deepEqual(stored(store).jwtKeys, [entry('k')]);
  store.beforeSave = () => assert.fail('everything is written already');
  await journal.flush();
});

test('refuses a row that is no journal', async () => {
  const store = new MemoryCaJournals();
  await store.save({ id: 0, data: Uint8Array.of(0xff), activeX509AuthorityId: 'ca' });
  await assert.rejects(Journal.open({ store, log: silentLog }, ['ca']), { kind: 'internal' });
});
