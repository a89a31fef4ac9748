import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { type Answers, fakeService, runCommand } from '../../../../test/kit/run-command.ts';
import { Fault } from '../../../base/fault.ts';
import {
  Entry,
  type ListEntriesRequest,
} from '../../../wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import {
  type Entry as EntryMessage,
  EntrySchema,
} from '../../../wire/gen/spire/api/types/entry_pb.ts';
import { SelectorMatch_MatchBehavior as Match } from '../../../wire/gen/spire/api/types/selector_pb.ts';
import type { Command } from '../../kit/command.ts';
import { entryCount } from './count.ts';
import { entryCreate } from './create.ts';
import { entryDelete } from './delete.ts';
import { entryShow } from './show.ts';
import { entryUpdate } from './update.ts';

let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'entry-'));
});
after(() => rm(folder, { recursive: true }));

async function run(command: Command, args: string, answers: Answers<typeof Entry>, stdin = '') {
  const { code, stdout, stderr } = await runCommand(command, args.split(' ').filter(Boolean), {
    services: [fakeService(Entry, answers)],
    stdin,
  });
  return { code, stdout, stderr };
}
const good = (stdout: string) => ({ code: 0, stdout, stderr: '' });
const bad = (reason: string) => ({ code: 1, stdout: '', stderr: `Error: ${reason}\n` });

const BASIC = '-parentID spiffe://td/n -spiffeID spiffe://td/w -selector unix:uid:1';
const basicText = (id: string) => `Entry ID                : ${id}
SPIFFE ID               : spiffe://td/w
Parent ID               : spiffe://td/n
Revision                : 0
X509-SVID TTL           : default
JWT-SVID TTL            : default
Selector                : unix:uid:1

`;
const basicJson = (id: string) =>
  `{"admin":false,"created_at":"0","dns_names":[],"downstream":false,"expires_at":"0","federates_with":[],"hint":"","id":"${id}","jwt_svid_ttl":0,"parent_id":{"path":"/n","trust_domain":"td"},"revision_number":"0","selectors":[{"type":"unix","value":"uid:1"}],"spiffe_id":{"path":"/w","trust_domain":"td"},"store_svid":false,"x509_svid_ttl":0}`;

const EXISTS = { code: 6, message: 'similar entry already exists' };

/** A server that takes every entry and keeps what it was sent. */
function keeper() {
  const kept: EntryMessage[] = [];
  const ok = { code: 0, message: 'OK' };
  const batch = ({ entries }: { entries: EntryMessage[] }) => {
    kept.push(...entries);
    return { results: entries.map((entry) => ({ status: ok, entry })) };
  };
  return { kept, answers: { batchCreateEntry: batch, batchUpdateEntry: batch } };
}

test('entry create sends every field', async () => {
  const { kept, answers } = keeper();
  const said = await run(
    entryCreate,
    '-entryID e -parentID spiffe://td/n -spiffeID spiffe://td/api -selector unix:user:web -selector unix:uid:1 -x509SVIDTTL 600 -jwtSVIDTTL 300 -federatesWith spiffe://b.test -federatesWith c.test -admin -downstream -storeSVID -dns one -dns two -entryExpiry 1772359200 -hint internal -disableX509SVIDPrefetch -jwtSVIDIncludeJTI',
    answers,
  );
  assert.deepEqual(
    said,
    good(`Entry ID                : e
SPIFFE ID               : spiffe://td/api
Parent ID               : spiffe://td/n
Revision                : 0
Downstream              : true
X509-SVID TTL           : 600
JWT-SVID TTL            : 300
Expiration time         : 2026-03-01 10:00:00 +0000 UTC
Selector                : unix:user:web
Selector                : unix:uid:1
FederatesWith           : spiffe://b.test
FederatesWith           : c.test
DNS name                : one
DNS name                : two
Admin                   : true
StoreSvid               : true
Hint                    : internal
DisableX509SvidPrefetch : true
JwtSvidIncludeJti       : true

`),
  );
  assert.equal(kept[0]?.expiresAt, 1_772_359_200n);
});

test('entry create sends attributes only if one is set', async () => {
  const { kept, answers } = keeper();
  await run(entryCreate, BASIC, answers);
  await run(entryCreate, `${BASIC} -jwtSVIDIncludeJTI=false`, answers);
  await run(entryCreate, `${BASIC} -jwtSVIDIncludeJTI`, answers);
  assert.deepEqual(
    kept.map(({ additionalAttributes: attributes }) => attributes?.jwtSvidIncludeJti),
    [undefined, undefined, true],
  );
});

test('entry create -node makes the server the parent', async () => {
  const { kept, answers } = keeper();
  await run(entryCreate, `${BASIC} -node`, answers);
  assert.equal(kept[0]?.parentId?.path, '/spire/server');
  assert.equal(kept[0].parentId.trustDomain, 'td');
});

test('an entry that exists is shown as it was asked for, and only text makes it a failure', async () => {
  const answers: Answers<typeof Entry> = {
    batchCreateEntry: () => ({
      results: [{ status: EXISTS, entry: { id: 'other', createdAt: 5n } }],
    }),
  };
  assert.deepEqual(await run(entryCreate, BASIC, answers), {
    code: 1,
    stdout: '',
    stderr: `Failed to create the following entry (code: AlreadyExists, msg: "similar entry already exists"):\n${basicText('(none)')}Error: failed to create one or more entries\n`,
  });
  assert.deepEqual(
    await run(entryCreate, `${BASIC} -entryID e -output json`, answers),
    good(
      `{"results":[{"entry":${basicJson('e')},"status":{"code":6,"message":"similar entry already exists"}}]}\n`,
    ),
  );
});

const createRefusals: readonly [args: string, reason: string][] = [
  ['', 'at least one selector is required'],
  ['-node -selector a:b -federatesWith x -parentID p', 'node entries can not federate'],
  ['-selector a:b', 'a parent ID is required if the node flag is not set'],
  ['-selector a:b -node', 'a SPIFFE ID is required'],
  [`${BASIC} -x509SVIDTTL -1`, 'a positive x509-SVID TTL is required'],
  [`${BASIC} -jwtSVIDTTL -1`, 'a positive JWT-SVID TTL is required'],
  ['-selector a -parentID x -spiffeID y', 'scheme is missing or invalid'],
  [`${BASIC} -spiffeID spiffe://td/w/`, 'path cannot have a trailing slash'],
  [
    `${BASIC} -x509SVIDTTL 4294967296 -selector a`,
    'invalid value for X509 SVID TTL: overflow converting int(4294967296) to int32',
  ],
  [
    `${BASIC} -jwtSVIDTTL 4294967296`,
    'invalid value for JWT SVID TTL: overflow converting int(4294967296) to int32',
  ],
  [`${BASIC} -selector a`, 'selector "a" must be formatted as type:value'],
  ['-data /nosuch/file', 'open /nosuch/file: no such file or directory'],
  ['-data -', 'unexpected end of JSON input'],
];
for (const [args, reason] of createRefusals) {
  test(`entry create refuses ${args}`, async () => {
    assert.deepEqual(await run(entryCreate, args, {}), bad(reason));
  });
}

test('what the server says of the whole batch is told as it is', async () => {
  const answers: Answers<typeof Entry> = {
    batchCreateEntry: () => {
      throw new Fault('denied', 'no');
    },
  };
  assert.deepEqual(
    await run(entryCreate, BASIC, answers),
    bad('rpc error: code = PermissionDenied desc = no'),
  );
});

const FILE = {
  entries: [
    {
      entry_id: 'f-1',
      spiffe_id: 'spiffe://td/w',
      parent_id: 'spiffe://td/n',
      selectors: [{ type: 'unix', value: 'uid:1' }],
      federates_with: ['spiffe://b.test'],
      entryExpiry: 5,
      additional_attributes: { jwt_svid_include_jti: true },
    },
  ],
};

test('entry create -data reads a file or standard input, and no other flag', async () => {
  const { kept, answers } = keeper();
  const path = join(folder, 'entries.json');
  await writeFile(path, JSON.stringify(FILE));
  assert.equal((await run(entryCreate, `-data ${path} -admin`, answers)).code, 0);
  assert.equal((await run(entryCreate, '-data -', answers, JSON.stringify(FILE))).code, 0);
  for (const entry of kept) {
    assert.equal(entry.id, 'f-1');
    assert.deepEqual(entry.federatesWith, ['b.test']);
    assert.equal(entry.expiresAt, 5n);
    assert.equal(entry.admin, false);
    assert.equal(entry.additionalAttributes?.jwtSvidIncludeJti, true);
  }
  assert.equal(kept.length, 2);
});

test('an empty batch is sent, and nothing printed', async () => {
  const { answers } = keeper();
  assert.deepEqual(await run(entryCreate, '-data -', answers, '{}'), good(''));
  assert.deepEqual(
    await run(entryCreate, '-data - -output json', answers, '{}'),
    good('{"results":[]}\n'),
  );
});

const withEntry = (changes: object) =>
  JSON.stringify({ entries: [{ ...FILE.entries[0], ...changes }] });
const fileRefusals: readonly [text: string, reason: string][] = [
  ['null', 'null where an object with entries is needed'],
  ['{"entries":[null]}', 'missing registration entry'],
  [withEntry({ spiffe_id: 'x' }), 'invalid SPIFFE ID: scheme is missing or invalid'],
  [withEntry({ parent_id: '' }), 'invalid parent ID: cannot be empty'],
  [
    withEntry({ federates_with: ['B'] }),
    'invalid federated trust domain: trust domain characters are limited to lowercase letters, numbers, dots, dashes, and underscores',
  ],
  [
    withEntry({ x509_svid_ttl: '5' }),
    'json: cannot unmarshal string into Go struct field RegistrationEntry.entries.x509_svid_ttl of type int32',
  ],
  ['[]', 'json: cannot unmarshal array into Go value of type common.RegistrationEntries'],
];
for (const [text, reason] of fileRefusals) {
  test(`entry create and entry update refuse the file ${text}`, async () => {
    assert.deepEqual(await run(entryCreate, '-data -', {}, text), bad(reason));
    assert.deepEqual(await run(entryUpdate, '-data -', {}, text), bad(reason));
  });
}

test('entry update replaces the entry, without attributes', async () => {
  const { kept, answers } = keeper();
  assert.deepEqual(await run(entryUpdate, `-entryID e ${BASIC}`, answers), good(basicText('e')));
  assert.equal(kept[0]?.additionalAttributes, undefined);
});

test('entry update merges those attributes that are given', async () => {
  const { kept, answers } = keeper();
  const existing = (additionalAttributes: object | undefined): Answers<typeof Entry> => ({
    ...answers,
    getEntry: ({ id }) => ({ id, ...(additionalAttributes && { additionalAttributes }) }),
  });
  const args = `-entryID e ${BASIC} -jwtSVIDIncludeJTI=false`;
  await run(entryUpdate, args, existing({ disableX509SvidPrefetch: true }));
  await run(entryUpdate, args, existing(undefined));
  assert.deepEqual(
    kept.map(({ additionalAttributes: attributes }) => [
      attributes?.disableX509SvidPrefetch,
      attributes?.jwtSvidIncludeJti,
    ]),
    [
      [true, true],
      [false, true],
    ],
  );
});

const updateRefusals: readonly [args: string, reason: string][] = [
  ['', 'entry ID is required'],
  ['-entryID e', 'at least one selector is required'],
  ['-entryID e -selector a:b', 'a parent ID is required'],
  ['-entryID e -selector a:b -parentID p', 'a SPIFFE ID is required'],
  [`-entryID e ${BASIC} -parentID p`, 'scheme is missing or invalid'],
  [
    `-entryID e ${BASIC} -disableX509SVIDPrefetch`,
    'failed to fetch existing entry to merge additional attributes: rpc error: code = NotFound desc = entry not found',
  ],
];
for (const [args, reason] of updateRefusals) {
  test(`entry update refuses ${args}`, async () => {
    const answers: Answers<typeof Entry> = {
      getEntry: () => {
        throw new Fault('not-found', 'entry not found');
      },
    };
    assert.deepEqual(await run(entryUpdate, args, answers), bad(reason));
  });
}

test('entry update has no -node', async () => {
  const { code, stderr } = await run(entryUpdate, '-node', {});
  assert.equal(code, 1);
  assert.match(stderr, /^flag provided but not defined: -node\nUsage of entry update:\n/);
});

test('an update that failed is told with its entry', async () => {
  const answers: Answers<typeof Entry> = {
    batchUpdateEntry: () => ({ results: [{ status: { code: 5, message: 'failed to "update"' } }] }),
  };
  assert.deepEqual(await run(entryUpdate, `-entryID e ${BASIC}`, answers), {
    code: 1,
    stdout: '',
    stderr: `Failed to update the following entry (code: NotFound, msg: "failed to \\"update\\""):\n${basicText('e')}Error: failed to update one or more entries\n`,
  });
});

const results = (...codes: [id: string, code: number][]): Answers<typeof Entry> => ({
  batchDeleteEntry: ({ ids }) => {
    assert.deepEqual(
      ids,
      codes.map(([id]) => id),
    );
    return {
      results: codes.map(([id, code]) => ({
        id,
        status: { code, message: code === 0 ? 'OK' : 'entry not found' },
      })),
    };
  },
});
const LOST = 'Failed to delete entry with ID b (code: NotFound, msg: "entry not found")\n';
const LAST = 'Error: failed to delete one or more entries\n';

test('entry delete says what became of each', async () => {
  assert.deepEqual(
    await run(entryDelete, '-entryID a', results(['a', 0])),
    good('Deleted entry with ID: a\n\n\nDeleted 1 entries successfully'),
  );
  assert.deepEqual(await run(entryDelete, '-entryID b', results(['b', 5])), {
    code: 1,
    stdout: '\n\nFailed to delete 1 entries',
    stderr: `${LOST}${LAST}`,
  });
  const both = results(['a', 0], ['b', 5]);
  const file = '{"IDs":["a","b"]}';
  assert.deepEqual(await run(entryDelete, '-file - -entryID x', both, file), {
    code: 1,
    stdout:
      'Deleted entry with ID: a\n\n\n\n\nDeleted 1 entries successfully, but failed to delete 1 entries',
    stderr: `${LOST}${LAST}`,
  });
  assert.deepEqual(
    await run(entryDelete, '-file - -output json', both, file),
    good(
      '{"results":[{"id":"a","status":{"code":0,"message":"OK"}},{"id":"b","status":{"code":5,"message":"entry not found"}}]}\n',
    ),
  );
  assert.deepEqual(
    await run(entryDelete, '-file -', results(), '{}'),
    good('Deleted 0 entries successfully'),
  );
});

test('entry delete refuses what names no entries', async () => {
  assert.deepEqual(await run(entryDelete, '', {}), bad('an entry ID is required'));
  assert.deepEqual(
    await run(entryDelete, '-file /nosuch', {}),
    bad('open /nosuch: no such file or directory'),
  );
  assert.deepEqual(await run(entryDelete, '-file -', {}), bad('unexpected end of JSON input'));
  assert.deepEqual(
    await run(entryDelete, '-file -', {}, '["a"]'),
    bad('json: cannot unmarshal array into Go value of type entryv1.BatchDeleteEntryRequest'),
  );
});

const listed = (id: string, changes: MessageInitShape<typeof EntrySchema> = {}) =>
  create(EntrySchema, {
    id,
    spiffeId: { trustDomain: 'td', path: '/w' },
    parentId: { trustDomain: 'td', path: '/n' },
    selectors: [{ type: 'unix', value: 'uid:1' }],
    ...(changes as object),
  });

test('entry show sorts entries of all pages, and their selectors', async () => {
  const selectors = [
    { type: 'unix', value: 'user:web' },
    { type: 'unix', value: 'uid:1' },
    { type: 'k8s', value: 'z' },
  ];
  const pages = [
    [listed('more selectors', { selectors }), listed('first')],
    [
      listed('other path', { spiffeId: { trustDomain: 'td', path: '/z' } }),
      listed('later selector', { selectors: [{ type: 'unix', value: 'uid:2' }] }),
    ],
    [
      listed('other domain', { spiffeId: { trustDomain: 'ab', path: '/z' } }),
      listed('other parent', { parentId: { trustDomain: 'td', path: '/a' } }),
      listed('longer', { x509SvidTtl: 5 }),
      listed('longer JWT', { jwtSvidTtl: 5 }),
    ],
  ];
  const answers: Answers<typeof Entry> = {
    listEntries({ pageToken, pageSize }) {
      assert.equal(pageSize, 500);
      const page = Number(pageToken);
      const next = page + 1 < pages.length ? String(page + 1) : '';
      return { entries: pages[page] ?? [], nextPageToken: next };
    },
  };
  const { stdout } = await run(entryShow, '', answers);
  assert.match(stdout, /^Found 8 entries\nEntry ID {16}: other domain\n/);
  assert.deepEqual(
    [...stdout.matchAll(/^Entry ID {16}: (.*)$/gm)].map(([, id]) => id),
    [
      'other domain',
      'other parent',
      'first',
      'later selector',
      'more selectors',
      'longer JWT',
      'longer',
      'other path',
    ],
  );
  assert.match(stdout, /k8s:z\nSelector {16}: unix:uid:1\nSelector {16}: unix:user:web\n/);
});

test('entry show -entryID shows the one', async () => {
  const answers: Answers<typeof Entry> = { getEntry: ({ id }) => listed(id) };
  const args = '-entryID e -downstream -hint h -federatesWith x -matchSelectorsOn nonsense';
  assert.deepEqual(await run(entryShow, args, answers), good(`Found 1 entry\n${basicText('e')}`));
  assert.deepEqual(
    await run(entryShow, '-entryID e -output json', answers),
    good(`{"entries":[${basicJson('e')}],"next_page_token":""}\n`),
  );
});

test('entry show and entry count send the same filter', async () => {
  const filters: ListEntriesRequest['filter'][] = [];
  const answers: Answers<typeof Entry> = {
    listEntries({ filter }) {
      filters.push(filter);
      return {};
    },
    countEntries({ filter }) {
      filters.push(filter as ListEntriesRequest['filter']);
      return { count: 1 };
    },
  };
  const args =
    '-parentID spiffe://td/n -spiffeID spiffe://td/w -selector a:1 -matchSelectorsOn exact -federatesWith spiffe://b.test -matchFederatesWithOn subset -hint h';
  assert.deepEqual(await run(entryShow, args, answers), good('Found 0 entries\n'));
  assert.deepEqual(await run(entryCount, args, answers), good('1 registration entry\n'));
  for (const filter of filters) {
    assert.equal(filter?.byParentId?.path, '/n');
    assert.equal(filter.bySpiffeId?.path, '/w');
    assert.equal(filter.bySelectors?.match, Match.MATCH_EXACT);
    assert.deepEqual(filter.byFederatesWith?.trustDomains, ['spiffe://b.test']);
    assert.equal(filter.byFederatesWith.match, Match.MATCH_SUBSET);
    assert.equal(filter.byHint, 'h');
    assert.equal(filter.byDownstream, false);
  }
  await run(entryShow, '-downstream', answers);
  assert.equal(filters.at(-1)?.byDownstream, true);
  assert.equal(filters.at(-1)?.byHint, undefined);
});

const filterRefusals: readonly [args: string, reason: string][] = [
  ['-parentID x', 'error parsing parent ID "x": scheme is missing or invalid'],
  ['-spiffeID x', 'error parsing SPIFFE ID "x": scheme is missing or invalid'],
  ['-selector a:b -matchSelectorsOn some', 'match behavior "some" unknown'],
  ['-federatesWith a -matchFederatesWithOn some', 'match behavior "some" unknown'],
  ['-selector a', 'error parsing selectors: selector "a" must be formatted as type:value'],
];
for (const [args, reason] of filterRefusals) {
  test(`entry show and entry count refuse ${args}`, async () => {
    assert.deepEqual(await run(entryShow, args, {}), bad(reason));
    assert.deepEqual(await run(entryCount, args, {}), bad(reason));
  });
}

test('entry show tells what failed', async () => {
  const fail = () => {
    throw new Fault('not-found', 'entry not found');
  };
  const answers: Answers<typeof Entry> = { getEntry: fail, listEntries: fail, countEntries: fail };
  const rpc = 'rpc error: code = NotFound desc = entry not found';
  const mixed = bad("the -entryID flag can't be combined with others");
  for (const other of ['-spiffeID spiffe://td/w', '-parentID x', '-selector a']) {
    assert.deepEqual(await run(entryShow, `-entryID e ${other}`, answers), mixed);
  }
  assert.deepEqual(
    await run(entryShow, '-entryID e', answers),
    bad(`error fetching entry ID e: ${rpc}`),
  );
  assert.deepEqual(await run(entryShow, '', answers), bad(`error fetching entries: ${rpc}`));
  assert.deepEqual(await run(entryCount, '', answers), bad(rpc));
});

test('entry count counts', async () => {
  const answers = { countEntries: () => ({ count: 4 }) };
  assert.deepEqual(await run(entryCount, '', answers), good('4 registration entries\n'));
  assert.deepEqual(await run(entryCount, '-output json', answers), good('{"count":4}\n'));
});
