import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  type Holder,
  intermediateAuthority,
  leafOf,
  NOW,
  rootAuthority,
} from '../../../../test/kit/certificates.ts';
import { VirtualClock } from '../../../../test/kit/clock.ts';
import {
  type Answers,
  fakeService,
  runCommand,
  type World,
} from '../../../../test/kit/run-command.ts';
import { Fault } from '../../../base/fault.ts';
import { writePem } from '../../../crypto/pem.ts';
import type { CallOptions } from '../../../rpc/dial.ts';
import { SpiffeWorkloadAPI } from '../../../wire/gen/spiffe/workload/workload_pb.ts';
import type { Command } from '../../kit/command.ts';
import { goUtcTimeText } from '../../kit/go-time.ts';
import { apiFetchJwt } from './fetch/jwt.ts';
import { apiFetch, apiFetchX509 } from './fetch/x509.ts';
import { apiValidateJwt } from './validate/jwt.ts';
import { apiWatch } from './watch.ts';

let folder = '';
let root: Holder;
let other: Holder;
let intermediate: Holder;
let leaf: Holder;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fetch-'));
  [root, other] = await Promise.all([rootAuthority('root'), rootAuthority('other')]);
  intermediate = await intermediateAuthority(root, 'intermediate');
  leaf = await leafOf(intermediate, 'spiffe://td/web');
});
after(() => rm(folder, { recursive: true }));

type Api = Answers<typeof SpiffeWorkloadAPI>;

async function run(command: Command, args: string, answers: Api, world: World = {}) {
  const { code, stdout, stderr } = await runCommand(command, args.split(' ').filter(Boolean), {
    services: [fakeService(SpiffeWorkloadAPI, answers)],
    clock: new VirtualClock(NOW * 1000),
    ...world,
  });
  return { code, stdout, stderr };
}
const good = (stdout: string) => ({ code: 0, stdout, stderr: '' });
const bad = (reason: string, stdout = '') => ({ code: 1, stdout, stderr: `${reason}\n` });

const ders = (...holders: Holder[]) =>
  Buffer.concat(holders.map(({ certificate }) => certificate.der));
const pems = (...holders: Holder[]) =>
  holders.map(({ certificate }) => writePem('CERTIFICATE', certificate.der)).join('');
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');

const svid = (changes: object = {}) => ({
  spiffeId: 'spiffe://td/web',
  x509Svid: ders(leaf, intermediate),
  x509SvidKey: leaf.key.toPkcs8(),
  bundle: ders(root),
  hint: 'internal',
  ...changes,
});
async function* stream<T>(...answers: T[]) {
  yield* answers;
}
const answer = (changes: object = {}): Api => ({
  fetchX509SVID: () => stream({ svids: [svid()], ...changes }),
});
const denied = (): never => {
  throw new Fault('denied', 'no identity issued');
};
const DENIED = 'rpc error: code = PermissionDenied desc = no identity issued';

const validity = (what: string, { certificate }: Holder) =>
  `${what} Valid After:\t${goUtcTimeText(BigInt(certificate.notBefore))}\n${what} Valid Until:\t${goUtcTimeText(BigInt(certificate.notAfter))}\n`;
const svidText = (hint = 'Hint:\t\t\tinternal\n', federated = '') =>
  `\nSPIFFE ID:\t\tspiffe://td/web\n${hint}${validity('SVID', leaf)}${validity('Intermediate #1', intermediate)}${validity('CA #1', root)}${federated}`;

for (const command of [apiFetch, apiFetchX509]) {
  test(`${command.name} reports what it received`, async () => {
    assert.deepEqual(
      await run(command, '', answer()),
      good(`Received 1 svid after 0s\n${svidText()}\n`),
    );
  });
}

test('api fetch reports every SVID with the bundles of other trust domains', async () => {
  const federatedBundles = { 'spiffe://b.test': ders(other), 'spiffe://a.test': ders(root, other) };
  const svids = [svid(), svid({ hint: '' })];
  const federated =
    validity('[spiffe://a.test] CA #1', root) +
    validity('[spiffe://a.test] CA #2', other) +
    validity('[spiffe://b.test] CA #1', other);
  assert.deepEqual(
    await run(apiFetch, '', answer({ svids, federatedBundles })),
    good(
      `Received 2 svids after 0s\n${svidText(undefined, federated)}${svidText('', federated)}\n`,
    ),
  );
});

test('api fetch -output json prints what was received, unverified', async () => {
  const svids = [{ spiffeId: 'nonsense', x509Svid: new Uint8Array([1]) }];
  const federatedBundles = { 'spiffe://b.test': new Uint8Array([2]) };
  assert.deepEqual(
    await run(apiFetch, '-output json -silent -write /nosuch', answer({ svids, federatedBundles })),
    good(
      '{"crl":[],"federated_bundles":{"spiffe://b.test":"Ag=="},"svids":[{"bundle":"","hint":"","spiffe_id":"nonsense","x509_svid":"AQ==","x509_svid_key":""}]}\n',
    ),
  );
});

test('api fetch -write writes each SVID, key and bundle', async () => {
  const federatedBundles = { 'spiffe://b.test': ders(other) };
  const said = await run(apiFetch, `-silent -write ${folder}/`, answer({ federatedBundles }));
  assert.deepEqual(
    said,
    good(
      `Writing SVID #0 to file ${folder}/svid.0.pem.\nWriting key #0 to file ${folder}/svid.0.key.\nWriting bundle #0 to file ${folder}/bundle.0.pem.\nWriting federated bundle #0 for trust domain spiffe://b.test to file ${folder}/federated_bundle.0.0.pem.\n`,
    ),
  );
  const text = (name: string) => readFile(join(folder, name), 'utf8');
  assert.equal(await text('svid.0.pem'), pems(leaf, intermediate));
  assert.equal(await text('svid.0.key'), writePem('PRIVATE KEY', leaf.key.toPkcs8()));
  assert.equal(await text('bundle.0.pem'), pems(root));
  assert.equal(await text('federated_bundle.0.0.pem'), pems(other));
  assert.equal((await stat(join(folder, 'svid.0.key'))).mode & 0o777, 0o600);
});

test('api fetch -write needs a folder that is there', async () => {
  assert.deepEqual(
    await run(apiFetch, '-silent -write /nosuch', answer()),
    bad(
      'open /nosuch/svid.0.pem: no such file or directory',
      'Writing SVID #0 to file /nosuch/svid.0.pem.\n',
    ),
  );
});

const ENTRY = 'failed to parse svid entry 0 for spiffe id "spiffe://td/web": ';
const fetchRefusals: readonly [why: string, changes: () => object, reason: string | RegExp][] = [
  ['no SVIDs', () => ({ svids: [] }), 'workload response contains no svids'],
  [
    'a federated bundle that is no DER',
    () => ({ federatedBundles: { 'spiffe://b.test': new Uint8Array([1]) } }),
    /^failed to parse bundle for federated domain "spiffe:\/\/b.test": /,
  ],
  [
    'an empty federated bundle',
    () => ({ federatedBundles: { 'spiffe://b.test': new Uint8Array() } }),
    'no certificates in bundle for federated domain "spiffe://b.test"',
  ],
  [
    'an SVID without certificates',
    () => ({ svids: [svid({ x509Svid: new Uint8Array() })] }),
    `${ENTRY}no certificates found`,
  ],
  [
    'a key that is none',
    () => ({ svids: [svid({ x509SvidKey: new Uint8Array([1]) })] }),
    /^failed to parse svid entry 0 .*: failed to parse private key: /,
  ],
  [
    'a bundle that is no DER',
    () => ({ svids: [svid({ bundle: new Uint8Array([1]) })] }),
    /^failed to parse svid entry 0 .*: failed to parse trust bundle: /,
  ],
  [
    'an empty bundle',
    () => ({ svids: [svid({ bundle: new Uint8Array() })] }),
    `${ENTRY}no certificates in trust bundle`,
  ],
  ['a wrong ID', () => ({ svids: [svid({ spiffeId: 'x' })] }), 'scheme is missing or invalid'],
  [
    'another authority',
    () => ({ svids: [svid({ bundle: ders(other) })] }),
    /^"spiffe:\/\/td\/web" SVID failed verification against bundle: .*certificate signed by unknown authority/,
  ],
];
for (const [why, changes, reason] of fetchRefusals) {
  test(`api fetch refuses ${why}`, async () => {
    const said = await run(apiFetch, '', answer(changes()));
    assert.equal(said.code, 1);
    assert.equal(said.stdout, '');
    if (typeof reason === 'string') assert.equal(said.stderr, `${reason}\n`);
    else assert.match(said.stderr, reason);
  });
}

test('calls carry the security header and a time-out', async () => {
  const seen: CallOptions[] = [];
  const answers: Api = {
    fetchX509SVID(_request, options) {
      seen.push(options);
      return stream({ svids: [svid()] });
    },
  };
  for (const args of ['', '-timeout 300ms', '-timeout 0', '-timeout -1s']) {
    await run(apiFetch, args, answers);
  }
  const headers = { 'workload.spiffe.io': 'true' };
  assert.deepEqual(seen, [
    { headers, timeoutMilliseconds: 5000 },
    { headers, timeoutMilliseconds: 300 },
    { headers },
    { headers },
  ]);
});

test('who has no identity is told so, plainly', async () => {
  assert.deepEqual(await run(apiFetch, '', { fetchX509SVID: denied }), bad(DENIED));
  assert.deepEqual(await run(apiFetch, '-output json', { fetchX509SVID: denied }), bad(DENIED));
  assert.deepEqual(await run(apiFetch, '', { fetchX509SVID: () => stream() }), bad('EOF'));
  const jwt = { fetchJWTBundles: denied };
  assert.deepEqual(await run(apiFetchJwt, '-audience a', jwt), bad(DENIED));
});

test('a wrong flag is told twice', async () => {
  for (const command of [apiFetch, apiFetchJwt, apiValidateJwt, apiWatch]) {
    const { code, stderr } = await run(command, '-bogus', {});
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^flag provided but not defined: -bogus\nUsage of (fetch x509|fetch jwt|validate jwt|watch):\n[^]*\nflag provided but not defined: -bogus\n$/,
    );
  }
});

const KEYS = '{\n    "keys": []\n}';
const jwtAnswers: Api = {
  fetchJWTBundles: () =>
    stream({
      bundles: { 'spiffe://td': Buffer.from(KEYS), 'spiffe://b.test': Buffer.from('{}') },
    }),
  fetchJWTSVID: ({ audience, spiffeId }) => ({
    svids: [
      { spiffeId: spiffeId || 'spiffe://td/web', svid: audience.join('+'), hint: 'internal' },
      { spiffeId: 'spiffe://td/two', svid: 'token' },
    ],
  }),
};

test('api fetch jwt prints tokens, hints and bundles', async () => {
  assert.deepEqual(
    await run(apiFetchJwt, '-audience x -audience a,b -spiffeID spiffe://td/one', jwtAnswers),
    good(`token(spiffe://td/one):
\ta+b
hint(spiffe://td/one):
\tinternal
token(spiffe://td/two):
\ttoken
bundle(spiffe://b.test):
\t{}
bundle(spiffe://td):
\t${KEYS}
`),
  );
  for (const format of ['-output', '-format']) {
    assert.deepEqual(
      await run(apiFetchJwt, `-audience a ${format} json`, jwtAnswers),
      good(
        `[{"svids":[{"hint":"internal","spiffe_id":"spiffe://td/web","svid":"a"},{"hint":"","spiffe_id":"spiffe://td/two","svid":"token"}]},{"bundles":{"spiffe://b.test":"e30=","spiffe://td":"${base64(Buffer.from(KEYS))}"}}]\n`,
      ),
    );
  }
});

test('api fetch jwt needs an audience, if an empty one', async () => {
  assert.deepEqual(await run(apiFetchJwt, '', jwtAnswers), bad('audience must be specified'));
  const said = await run(apiFetchJwt, '-audience=', jwtAnswers);
  assert.match(said.stdout, /^token\(spiffe:\/\/td\/web\):\n\t\n/);
});

test('api fetch jwt says whether it could reach the agent', async () => {
  const failing = (fault: Fault): Api => ({
    fetchJWTBundles: () => {
      throw fault;
    },
  });
  const unreachable = new Fault('unavailable', 'connection error: desc = "gone"');
  assert.deepEqual(
    await run(apiFetchJwt, '-audience a', failing(unreachable)),
    bad(
      'failed to receive JWT bundles: rpc error: code = Unavailable desc = connection error: desc = "gone"',
    ),
  );
  const busy = new Fault('unavailable', 'busy');
  assert.deepEqual(
    await run(apiFetchJwt, '-audience a', failing(busy)),
    bad('rpc error: code = Unavailable desc = busy'),
  );
});

test('api validate jwt prints the claims in their own way', async () => {
  const answers: Api = {
    validateJWTSVID: ({ audience, svid: token }) => ({
      spiffeId: 'spiffe://td/web',
      claims: {
        sub: 'spiffe://td/web',
        exp: 1_700_000_000,
        aud: [audience, token],
        nothing: null,
        deep: { b: 1.5, a: '<' },
      },
    }),
  };
  assert.deepEqual(
    await run(apiValidateJwt, '-audience a -svid t', answers),
    good(
      'SVID is valid.\nSPIFFE ID : spiffe://td/web\nClaims    : {"aud":["a", "t"], "deep":{"a":"<", "b":1.5}, "exp":1700000000, "nothing":null, "sub":"spiffe://td/web"}\n',
    ),
  );
  assert.deepEqual(
    await run(apiValidateJwt, '-audience a -svid t -output json', answers),
    good(
      '{"claims":{"aud":["a","t"],"deep":{"a":"\\u003c","b":1.5},"exp":1700000000,"sub":"spiffe://td/web"},"spiffe_id":"spiffe://td/web"}\n',
    ),
  );
});

test('api validate jwt tells a bad token from a failed call', async () => {
  const failing = (fault: Fault): Api => ({
    validateJWTSVID: () => {
      throw fault;
    },
  });
  const args = '-audience a -svid t';
  assert.deepEqual(
    await run(apiValidateJwt, args, failing(new Fault('invalid', 'expected audience'))),
    bad('SVID is not valid: expected audience'),
  );
  assert.deepEqual(
    await run(apiValidateJwt, args, { validateJWTSVID: denied }),
    bad(`unable to validate JWT SVID: ${DENIED}`),
  );
  assert.deepEqual(await run(apiValidateJwt, '-svid t', {}), bad('audience must be specified'));
  assert.deepEqual(await run(apiValidateJwt, '-audience a', {}), bad('svid must be specified'));
});

const CANCELED = 'rpc error: code = Canceled desc = context canceled\n';

test('api watch reports each update until it is interrupted', async () => {
  let interrupt = () => {};
  const clock = new VirtualClock(NOW * 1000);
  const answers: Api = {
    async *fetchX509SVID(_request, { signal }) {
      await clock.advance({ milliseconds: 1500 });
      yield { svids: [svid()], federatedBundles: { 'spiffe://b.test': ders(other) } };
      await clock.advance({ seconds: 2 });
      yield { svids: [] };
      yield { svids: [svid()] };
      interrupt();
      signal?.throwIfAborted();
    },
  };
  const onListening = (send: () => void) => {
    interrupt = send;
  };
  assert.deepEqual(await run(apiWatch, '', answers, { clock, onListening }), {
    code: 1,
    stdout: `Received 1 svid after 1.5s\n${svidText('', validity('[b.test] CA #1', other))}\nReceived 1 svid after 0s\n${svidText('')}\n`,
    stderr: `workload response contains no svids\n${CANCELED}${CANCELED}`,
  });
});

test('api watch tries again, each time a second later, and may be interrupted meanwhile', async () => {
  let interrupt = () => {};
  const clock = new VirtualClock(NOW * 1000);
  const waits: number[] = [];
  const sleepless = {
    now: () => clock.now(),
    sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
      waits.push(milliseconds);
      if (waits.length === 33) interrupt();
      return signal?.aborted ? Promise.reject(signal.reason as Error) : Promise.resolve();
    },
  };
  const onListening = (send: () => void) => {
    interrupt = send;
  };
  const world = { clock: sleepless, onListening };
  const said = await run(apiWatch, '', { fetchX509SVID: denied }, world);
  assert.deepEqual(waits.slice(0, 3), [1000, 2000, 3000]);
  assert.deepEqual(waits.slice(-4), [30_000, 30_000, 30_000, 30_000]);
  assert.equal(said.stderr, `${`${DENIED}\n`.repeat(33)}context canceled\n`);
  assert.equal(said.code, 1);
});

test('api watch gives up when it is told that it is wrong', async () => {
  const answers: Api = {
    fetchX509SVID: () => {
      throw new Fault('invalid', 'security header missing from request');
    },
  };
  const line = 'rpc error: code = InvalidArgument desc = security header missing from request\n';
  assert.deepEqual(await run(apiWatch, '', answers), { code: 1, stdout: '', stderr: line + line });
});
