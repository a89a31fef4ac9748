import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Holder, rootAuthority } from '../../../../test/kit/certificates.ts';
import { type Answers, fakeService, runCommand } from '../../../../test/kit/run-command.ts';
import { Fault } from '../../../base/fault.ts';
import { writePem } from '../../../crypto/pem.ts';
import { emptyBundle } from '../../../spiffe/bundle.ts';
import { writeBundleDocument } from '../../../spiffe/bundle-document.ts';
import { TrustDomain as TrustDomainName } from '../../../spiffe/trust-domain.ts';
import { TrustDomain } from '../../../wire/gen/spire/api/server/trustdomain/v1/trustdomain_pb.ts';
import type { FederationRelationship } from '../../../wire/gen/spire/api/types/federationrelationship_pb.ts';
import type { Command } from '../../kit/command.ts';
import { federationCreate } from './create.ts';
import { federationDelete } from './delete.ts';
import { federationList } from './list.ts';
import { federationRefresh } from './refresh.ts';
import { federationShow } from './show.ts';
import { federationUpdate } from './update.ts';

let folder = '';
let holder: Holder;
let document = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'federation-'));
  holder = await rootAuthority('one');
  const { publicKey } = holder.key;
  document = writeBundleDocument({
    ...emptyBundle(TrustDomainName.parse('b.test')),
    x509Authorities: [{ der: holder.certificate.der, tainted: false }],
    jwtAuthorities: [{ publicKey: publicKey.spki, keyId: 'K', expiresAt: 5, tainted: false }],
    sequenceNumber: 7n,
    refreshHintSeconds: 60,
  });
  await writeFile(join(folder, 'b.json'), document);
  await writeFile(join(folder, 'b.pem'), pem());
});
after(() => rm(folder, { recursive: true }));

const pem = () => writePem('CERTIFICATE', holder.certificate.der);

async function run(
  command: Command,
  args: string,
  answers: Answers<typeof TrustDomain>,
  stdin = '',
) {
  const words = args.replaceAll('$D', folder).split(' ').filter(Boolean);
  const { code, stdout, stderr } = await runCommand(command, words, {
    services: [fakeService(TrustDomain, answers)],
    stdin,
  });
  return { code, stdout, stderr };
}
const good = (stdout: string) => ({ code: 0, stdout, stderr: '' });
const bad = (reason: string) => ({ code: 1, stdout: '', stderr: `Error: ${reason}\n` });
const ok = { code: 0, message: 'OK' };

const WEB_FLAGS =
  '-trustDomain d.test -bundleEndpointURL https://d.test/b -bundleEndpointProfile https_web';
const SPIFFE_FLAGS =
  '-trustDomain b.test -bundleEndpointURL https://b.test -bundleEndpointProfile https_spiffe -endpointSpiffeID spiffe://e.test/server';
const WEB_BLOCK = `Trust domain              : d.test
Bundle endpoint URL       : https://d.test/b
Bundle endpoint profile   : https_web
`;
const SPIFFE_BLOCK = `Trust domain              : b.test
Bundle endpoint URL       : https://b.test
Bundle endpoint profile   : https_spiffe
Endpoint SPIFFE ID        : spiffe://e.test/server
`;
const web = {
  trustDomain: 'd.test',
  bundleEndpointUrl: 'https://d.test/b',
  bundleEndpointProfile: { case: 'httpsWeb', value: {} },
} as const;
const spiffe = {
  trustDomain: 'b.test',
  bundleEndpointUrl: 'https://b.test',
  bundleEndpointProfile: {
    case: 'httpsSpiffe',
    value: { endpointSpiffeId: 'spiffe://e.test/server' },
  },
} as const;

/** Takes what it is asked to make, and remembers it. */
function taking() {
  const asked: FederationRelationship[] = [];
  const take = ({
    federationRelationships,
  }: {
    federationRelationships: FederationRelationship[];
  }) => {
    asked.push(...federationRelationships);
    return {
      results: federationRelationships.map((federationRelationship) => ({
        status: ok,
        federationRelationship,
      })),
    };
  };
  const answers: Answers<typeof TrustDomain> = {
    batchCreateFederationRelationship: take,
    batchUpdateFederationRelationship: take,
  };
  return { asked, answers };
}

for (const [verb, command] of [
  ['create', federationCreate],
  ['update', federationUpdate],
] as const) {
  test(`federation ${verb} sends what the flags say and shows what was made`, async () => {
    const { asked, answers } = taking();
    assert.deepEqual(await run(command, WEB_FLAGS, answers), good(`\n${WEB_BLOCK}`));
    assert.deepEqual(await run(command, SPIFFE_FLAGS, answers), good(`\n${SPIFFE_BLOCK}`));
    assert.partialDeepStrictEqual(asked, [web, spiffe]);
    assert.deepEqual(
      asked.map(({ trustDomainBundle }) => trustDomainBundle),
      [undefined, undefined],
    );
  });

  test(`federation ${verb} shows what went well before what failed`, async () => {
    const results = [
      { status: { code: 13, message: 'no "luck"' } },
      { status: ok, federationRelationship: spiffe },
    ];
    const answers: Answers<typeof TrustDomain> = {
      batchCreateFederationRelationship: () => ({ results }),
      batchUpdateFederationRelationship: () => ({ results }),
    };
    const file = JSON.stringify({
      federationRelationships: [
        {
          trustDomain: 'd.test',
          bundleEndpointURL: 'https://d.test/b',
          bundleEndpointProfile: 'https_web',
        },
      ],
    });
    assert.deepEqual(await run(command, '-data -', answers, file), {
      code: 1,
      stdout: `\n${SPIFFE_BLOCK}\n`,
      stderr:
        `Failed to ${verb} the following federation relationship (code: Internal, msg: "no \\"luck\\""):\n${WEB_BLOCK}` +
        `Error: failed to ${verb} one or more federation relationships\n`,
    });
    assert.deepEqual(
      await run(command, '-data - -output json', answers, file),
      good(
        '{"results":[{"status":{"code":13,"message":"no \\"luck\\""}},' +
          '{"federation_relationship":{"bundle_endpoint_url":"https://b.test","https_spiffe":{"endpoint_spiffe_id":"spiffe://e.test/server"},' +
          '"trust_domain":"b.test"},"status":{"code":0,"message":"OK"}}]}\n',
      ),
    );
  });
}

test('a bundle file is sent as that of the endpoint’s trust domain', async () => {
  const { asked, answers } = taking();
  await run(federationCreate, `${WEB_FLAGS} -trustDomainBundlePath $D/b.pem`, answers);
  await run(
    federationCreate,
    `${SPIFFE_FLAGS} -trustDomainBundlePath $D/b.json -trustDomainBundleFormat whatever`,
    answers,
  );
  const [fromPem, fromDocument] = asked.map(({ trustDomainBundle }) => trustDomainBundle);
  assert.equal(fromPem?.trustDomain, 'd.test');
  assert.equal(fromPem.x509Authorities.length, 1);
  assert.equal(fromDocument?.trustDomain, 'e.test');
  assert.deepEqual(
    fromDocument.jwtAuthorities.map(({ keyId, expiresAt }) => [keyId, expiresAt]),
    [['K', 0n]],
  );
  assert.equal(fromDocument.refreshHint, 60n);
  assert.equal(fromDocument.sequenceNumber, 7n);
});

test('a file holds relationships with their bundles', async () => {
  const { asked, answers } = taking();
  const common = { bundleEndpointURL: 'https://x', bundleEndpointProfile: 'https_web' };
  const file = JSON.stringify({
    FederationRelationships: [
      {
        ...common,
        trustDomain: 'x.test',
        trustDomainBundle: pem(),
        trustDomainBundleFormat: 'pem',
      },
      {
        ...common,
        trustDomain: 'y.test',
        bundleEndpointProfile: 'https_spiffe',
        endpointSpiffeID: 'spiffe://z.test/server',
        trustDomainBundle: JSON.parse(document) as object,
        trustDomainBundleFormat: 'spiffe',
        other: 1,
      },
      { ...common, trustDomain: 'z.test' },
    ],
  });
  await writeFile(join(folder, 'data.json'), file);
  assert.equal((await run(federationCreate, '-data $D/data.json', answers)).code, 0);
  assert.deepEqual(
    asked.map(({ trustDomain, trustDomainBundle: bundle }) => [
      trustDomain,
      bundle?.trustDomain,
      bundle?.x509Authorities.length,
      bundle?.sequenceNumber,
    ]),
    [
      ['x.test', 'x.test', 1, 0n],
      ['y.test', 'z.test', 1, 7n],
      ['z.test', undefined, undefined, undefined],
    ],
  );
});

for (const empty of ['{}', 'null', '{"federationRelationships":null}']) {
  test(`a file without relationships asks for none: ${empty}`, async () => {
    const { answers } = taking();
    assert.deepEqual(await run(federationCreate, '-data -', answers, empty), good(''));
    assert.deepEqual(
      await run(federationCreate, '-data - -output json', answers, empty),
      good('{"results":[]}\n'),
    );
  });
}

const badFlags: readonly (readonly [flags: string, reason: string])[] = [
  ['', 'trust domain is required'],
  ['-trustDomain x', 'bundle endpoint URL is required'],
  ['-trustDomain x -bundleEndpointURL u', 'unknown bundle endpoint profile type: ""'],
  [
    '-trustDomain x -bundleEndpointURL u -bundleEndpointProfile HTTPS_WEB',
    'unknown bundle endpoint profile type: "HTTPS_WEB"',
  ],
  [
    '-trustDomain x -bundleEndpointURL u -bundleEndpointProfile https_spiffe',
    "endpoint SPIFFE ID is required if 'https_spiffe' endpoint profile is set",
  ],
  [
    '-trustDomain x -bundleEndpointURL u -bundleEndpointProfile https_spiffe -endpointSpiffeID x',
    'cannot parse bundle endpoint SPIFFE ID: scheme is missing or invalid',
  ],
  [
    `${WEB_FLAGS} -trustDomainBundlePath /nofile`,
    'cannot read bundle file: open /nofile: no such file or directory',
  ],
  [
    `${WEB_FLAGS} -trustDomainBundlePath $D/b.json`,
    'cannot parse bundle file: unable to parse bundle data: no PEM blocks',
  ],
  ['-data /nofile', 'open /nofile: no such file or directory'],
  [
    '-data /nofile -trustDomainBundleFormat spiffe',
    "cannot use other flags to specify relationship fields when 'data' flag is set",
  ],
];
for (const [flags, reason] of badFlags) {
  test(`refuses before asking: ${reason}`, async () => {
    for (const command of [federationCreate, federationUpdate]) {
      assert.deepEqual(await run(command, flags, {}), bad(reason));
    }
  });
}

const item = (fields: object) => ({
  federationRelationships: [
    {
      trustDomain: 'x.test',
      bundleEndpointURL: 'https://x',
      bundleEndpointProfile: 'https_web',
      ...fields,
    },
  ],
});
const raw = 'could not parse item 0: cannot parse bundle raw message:';
const badFiles: readonly (readonly [content: unknown, reason: string])[] = [
  [
    [],
    'failed to parse JSON: json: cannot unmarshal array into Go value of type federation.federationRelationships',
  ],
  [
    item({ trustDomain: 5 }),
    'failed to parse JSON: json: cannot unmarshal number into Go struct field federationRelationshipConfig.federationRelationships.trustDomain of type string',
  ],
  [{ federationRelationships: [null] }, 'could not parse item 0: missing federation relationship'],
  [
    { federationRelationships: [...item({}).federationRelationships, {}] },
    'could not parse item 1: trust domain is required',
  ],
  [item({ trustDomainBundle: 'x' }), `${raw} bundle format "" is unsupported`],
  [item({ trustDomainBundle: null }), `${raw} bundle format "" is unsupported`],
  [
    item({ trustDomainBundle: 'x', trustDomainBundleFormat: 'PEM' }),
    `${raw} bundle format "PEM" is unsupported`,
  ],
  [
    item({ trustDomainBundle: {}, trustDomainBundleFormat: 'pem' }),
    `${raw} failed to unmarshal json: json: cannot unmarshal object into Go value of type string`,
  ],
  [
    item({ trustDomainBundle: null, trustDomainBundleFormat: 'pem' }),
    `${raw} unable to parse bundle data: no PEM blocks`,
  ],
  [
    item({ trustDomainBundle: {}, trustDomainBundleFormat: 'spiffe' }),
    `${raw} unable to parse to spiffe bundle: spiffebundle: no authorities found`,
  ],
  [
    item({
      trustDomain: 'N O',
      trustDomainBundle: { keys: [] },
      trustDomainBundleFormat: 'spiffe',
    }),
    `${raw} trust domain characters are limited to lowercase letters, numbers, dots, dashes, and underscores`,
  ],
];
for (const [content, reason] of badFiles) {
  test(`refuses a file: ${reason}`, async () => {
    const text = JSON.stringify(content);
    assert.deepEqual(await run(federationCreate, '-data -', {}, text), bad(reason));
  });
}

test('federation list counts and shows', async () => {
  const listing = (...federationRelationships: (typeof web | typeof spiffe)[]) => ({
    listFederationRelationships: () => ({ federationRelationships }),
  });
  const list = (args: string, answers: Answers<typeof TrustDomain>) =>
    run(federationList, args, answers);
  assert.deepEqual(await list('', listing()), good('Found 0 federation relationships\n'));
  assert.deepEqual(
    await list('', listing(web)),
    good(`Found 1 federation relationship\n\n${WEB_BLOCK}`),
  );
  assert.deepEqual(
    await list('', listing(web, spiffe)),
    good(`Found 2 federation relationships\n\n${WEB_BLOCK}\n${SPIFFE_BLOCK}`),
  );
  assert.deepEqual(
    await list('-output json', listing(web)),
    good(
      '{"federation_relationships":[{"bundle_endpoint_url":"https://d.test/b","https_web":{},"trust_domain":"d.test"}],"next_page_token":""}\n',
    ),
  );
  assert.deepEqual(
    await list('', { listFederationRelationships: fail }),
    bad('error listing federation relationship: rpc error: code = NotFound desc = nothing'),
  );
});

const fail = () => {
  throw new Fault('not-found', 'nothing');
};

test('federation show shows the one that was named', async () => {
  const answers: Answers<typeof TrustDomain> = {
    getFederationRelationship: ({ trustDomain }) => {
      assert.equal(trustDomain, 'spiffe://b.test');
      return spiffe;
    },
  };
  assert.deepEqual(
    await run(federationShow, '-trustDomain spiffe://b.test', answers),
    good(`Found a federation relationship with trust domain spiffe://b.test:\n\n${SPIFFE_BLOCK}`),
  );
  const json = await run(federationShow, '-trustDomain spiffe://b.test -output json', answers);
  assert.match(json.stdout, /^\{"bundle_endpoint_url":"https:\/\/b\.test","https_spiffe":/);
  assert.deepEqual(await run(federationShow, '', {}), bad('a trust domain name is required'));
  assert.deepEqual(
    await run(federationShow, '-trustDomain x', { getFederationRelationship: fail }),
    bad('error showing federation relationship: rpc error: code = NotFound desc = nothing'),
  );
});

test('federation delete tells what became of it', async () => {
  const answering = (code: number, message: string): Answers<typeof TrustDomain> => ({
    batchDeleteFederationRelationship: ({ trustDomains: [trustDomain = ''] }) => ({
      results: [{ status: { code, message }, trustDomain }],
    }),
  });
  assert.deepEqual(
    await run(federationDelete, '-id b.test', answering(0, 'OK')),
    good('federation relationship deleted.\n'),
  );
  assert.deepEqual(
    await run(federationDelete, '-id b.test', answering(5, 'nothing')),
    bad('failed to delete federation relationship "b.test": nothing'),
  );
  assert.deepEqual(
    await run(federationDelete, '-id b.test -output json', answering(5, 'nothing')),
    good('{"results":[{"status":{"code":5,"message":"nothing"},"trust_domain":"b.test"}]}\n'),
  );
  assert.deepEqual(await run(federationDelete, '', {}), bad('id is required'));
  assert.deepEqual(
    await run(federationDelete, '-id b.test', { batchDeleteFederationRelationship: fail }),
    bad('failed to delete federation relationship: rpc error: code = NotFound desc = nothing'),
  );
});

test('federation refresh says whether there is such a relationship', async () => {
  const refreshed: Answers<typeof TrustDomain> = { refreshBundle: () => ({}) };
  assert.deepEqual(
    await run(federationRefresh, '-id b.test', refreshed),
    good('Bundle refreshed\n'),
  );
  assert.deepEqual(
    await run(federationRefresh, '-id b.test -output json', refreshed),
    good('{"code":0,"message":"OK"}\n'),
  );
  assert.deepEqual(
    await run(federationRefresh, '-id b.test', { refreshBundle: fail }),
    bad('there is no federation relationship with trust domain "b.test"'),
  );
  const refuse = () => {
    throw new Fault('internal', 'no way');
  };
  assert.deepEqual(
    await run(federationRefresh, '-id b.test', { refreshBundle: refuse }),
    bad('failed to refresh bundle: rpc error: code = Internal desc = no way'),
  );
  assert.deepEqual(await run(federationRefresh, '', {}), bad('id is required'));
});
