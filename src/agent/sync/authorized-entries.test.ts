import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fakeEntry } from '../../../test/kit/agent-world.ts';
import { VirtualClock } from '../../../test/kit/clock.ts';
import { FakeServer } from '../../../test/kit/fake-server.ts';
import { type LogLine, recordingLog } from '../../../test/kit/recording-log.ts';
import { Fault } from '../../base/fault.ts';
import { noMetrics } from '../../ops/metrics.ts';
import { dial } from '../../rpc/dial.ts';
import type { Entry } from '../../spiffe/entry.ts';
import { Entry as EntryService } from '../../wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import { AuthorizedEntries } from './authorized-entries.ts';

const options = { timeoutMilliseconds: 5000 };
const numbered = (count: number, revisionNumber = 0): Entry[] =>
  Array.from({ length: count }, (_, index) =>
    fakeEntry(`entry-${String(index).padStart(3, '0')}`, ['unix:uid:1'], { revisionNumber }),
  );

async function world() {
  const server = await FakeServer.start({ clock: new VirtualClock() });
  const channel = dial({ address: server.address, tls: { verify: () => {} } });
  const lines: LogLine[] = [];
  const entries = new AuthorizedEntries(recordingLog(lines), noMetrics);
  const client = channel.client(EntryService);
  return {
    server,
    entries,
    lines,
    client,
    ids: () => entries.all.map(({ id }) => id).toSorted(),
    sync: () => entries.sync(client, options),
    /** Sizes of the requests for entries since the last time. */
    asked: () =>
      server.calls
        .splice(0)
        .map(({ method }) => method)
        .filter((method) => method.startsWith('ids')),
    async [Symbol.asyncDispose]() {
      channel[Symbol.dispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

describe('few entries', () => {
  test('come all at once; what is gone goes, what is the same stays the same object', async () => {
    await using w = await world();
    w.server.entries = numbered(3);
    await w.sync();
    const [first] = w.entries.all;
    w.server.entries = numbered(2);
    await w.sync();
    assert.deepEqual(w.ids(), ['entry-000', 'entry-001']);
    assert.equal(w.entries.all[0], first);
  });

  test('a change without a new revision is taken too', async () => {
    await using w = await world();
    w.server.entries = [fakeEntry('a', ['unix:uid:1'])];
    await w.sync();
    w.server.entries = [fakeEntry('a', ['unix:uid:1'], { hint: 'new' })];
    await w.sync();
    assert.equal(w.entries.all[0]?.hint, 'new');
  });

  test('by GetAuthorizedEntries it is the same', async () => {
    await using w = await world();
    w.server.entries = numbered(3);
    await w.entries.fetchAll(w.client, options);
    w.server.entries = numbered(1);
    await w.entries.fetchAll(w.client, options);
    assert.deepEqual(w.ids(), ['entry-000']);
    assert.equal(w.server.countOf('SyncAuthorizedEntries'), 0);
  });
});

describe('many entries', () => {
  test('come by revision: at first all, in pages; then only what changed', async () => {
    await using w = await world();
    w.server.pageSize = 10;
    w.server.entries = numbered(25);
    await w.sync();
    assert.equal(w.entries.all.length, 25);
    assert.deepEqual(w.asked(), ['ids 10', 'ids 10', 'ids 5']);

    await w.sync();
    assert.deepEqual(w.asked(), [], 'an unchanged set costs one request');

    const renewed = { ...(w.server.entries[3] as Entry), revisionNumber: 1 };
    const made = { ...(w.server.entries[4] as Entry), createdAt: 99 };
    w.server.entries = [...w.server.entries.slice(5), renewed, made, fakeEntry('new', ['a:1'])];
    await w.sync();
    assert.deepEqual(w.asked(), ['ids 3']);
    assert.equal(w.entries.all.length, 23);
    assert.ok(!w.ids().includes('entry-000'));
  });

  test('a failure keeps what came, and removes nothing', async () => {
    await using w = await world();
    w.server.pageSize = 10;
    w.server.entries = numbered(25);
    await w.sync();
    w.server.failures.set('SyncAuthorizedEntries', new Fault('internal', 'no'));
    w.server.entries = numbered(1);
    await assert.rejects(w.sync(), {
      kind: 'internal',
      message: 'rpc error: code = Internal desc = no',
    });
    assert.equal(w.entries.all.length, 25);
  });
});

describe('what is no entry', () => {
  const good = fakeEntry('good', ['unix:uid:1']);
  const malformed: readonly [why: string, entry: Entry, error: string][] = [
    ['no ID', { ...good, id: '' }, 'missing entry ID'],
    ['no selectors', { ...good, id: 'bad', selectors: [] }, 'empty selector list'],
    [
      'a selector without type',
      { ...good, id: 'bad', selectors: [{ type: '', value: 'x' }] },
      'missing selector type',
    ],
    [
      'a selector type with a colon',
      { ...good, id: 'bad', selectors: [{ type: 'a:b', value: 'x' }] },
      "selector type contains ':'",
    ],
    [
      'a selector without value',
      { ...good, id: 'bad', selectors: [{ type: 'a', value: '' }] },
      'missing selector value',
    ],
    [
      'a federated trust domain that is none',
      { ...good, id: 'bad', federatesWith: [{ name: 'NO' } as never] },
      'invalid federated trust domain: trust domain characters are limited to lowercase letters, numbers, dots, dashes, and underscores',
    ],
  ];
  for (const [why, entry, error] of malformed) {
    test(`${why}: it is told and left out, the others are taken`, async () => {
      await using w = await world();
      w.server.entries = [entry, good];
      await w.sync();
      assert.deepEqual(w.ids(), ['good']);
      assert.deepEqual(
        w.lines.map(({ message, fields }) => [message, fields['error']]),
        [
          [
            'Received malformed entry from SPIRE server; are the server and agent versions compatible?',
            error,
          ],
        ],
      );
    });
  }

  test('a revision without ID is told and passed over', async () => {
    await using w = await world();
    w.server.pageSize = 1;
    w.server.entries = [{ ...good, id: '' }, good];
    await w.sync();
    assert.deepEqual(w.ids(), ['good']);
    assert.match(w.lines[0]?.message ?? '', /^Received malformed entry revision from SPIRE server/);
  });
});
