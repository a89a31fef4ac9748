import assert from 'node:assert/strict';
import { test } from 'node:test';
import { authorizedEntry } from '../../../test/kit/authorized-entry.ts';
import { VirtualClock } from '../../../test/kit/clock.ts';
import type { AgentStatus } from '../status.ts';
import { createRefusalFacts } from './refusal-facts.ts';

const EXPLAIN = 'steeple explain -socketPath /run/admin.sock -pid PID';

function factsOf(status: Partial<AgentStatus>, adminSocketPath?: string) {
  const clock = new VirtualClock();
  const known = { entries: [], lastSyncSuccess: clock.now() - 4000, lastSync: undefined };
  const facts = createRefusalFacts({
    status: { ...known, ...status } as unknown as AgentStatus,
    clock,
    adminSocketPath,
  });
  return { clock, facts };
}

const caller = new Set(['unix:uid:1', 'unix:gid:1']);
const defined = (fields: object) =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));

test('names the nearest entry; of the selectors it lacks, those that may be told', () => {
  const entries = [authorizedEntry('web', ['unix:uid:2', 'unix:gid:1', 'docker:label:secret'])];
  const { facts } = factsOf({ entries }, '/run/admin.sock');
  assert.deepEqual(defined(facts(caller, (one) => one.startsWith('unix:'))), {
    explain: EXPLAIN,
    entries_known: 1,
    nearest_entry: 'web',
    nearest_spiffe_id: 'spiffe://cache.test/web',
    nearest_lacks: 2,
    nearest_lacks_selectors: 'unix:uid:2',
    last_sync_age_seconds: 4,
  });
  assert.ok(!JSON.stringify(facts(caller, () => false)).includes(':uid'));
});

test('tells that there is nothing near, and that synchronizing fails', () => {
  const lastSync = { endedAt: 0, failure: 'the server says no' };
  const { facts } = factsOf({ lastSync });
  assert.deepEqual(defined(facts(caller, () => true)), {
    explain: 'set admin_socket_path, then ask "steeple explain"',
    entries_known: 0,
    last_sync_age_seconds: 4,
    last_sync_error: 'the server says no',
  });
});

test('who is refused all the time does not have everything compared each time', async () => {
  const { clock, facts } = factsOf({});
  const isTold = () => Object.keys(facts(caller, () => true)).length > 0;
  const told = Array.from({ length: 100 }, isTold);
  assert.equal(told.filter(Boolean).length, 10);
  await clock.advance({ seconds: 1 });
  assert.ok(isTold());
});

test('with thousands of entries it is told more seldom: comparing must not take all the time', () => {
  const entries = Array.from({ length: 50_000 }, (_, index) =>
    authorizedEntry(`e${index}`, [`unix:uid:${index + 2}`, 'unix:gid:1']),
  );
  const { facts } = factsOf({ entries });
  const told = Array.from({ length: 10 }, () => Object.keys(facts(caller, () => true)).length > 0);
  assert.deepEqual(told, [true, ...Array<boolean>(9).fill(false)]);
});
