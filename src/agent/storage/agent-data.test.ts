import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { parseCertificate } from '../../crypto/x509/certificate.ts';
import { emptyAgentData } from './agent-data.ts';
import { openAgentData } from './agent-data-file.ts';
import { formatAgentData, parseAgentData } from './agent-data-format.ts';

const fixture = join(import.meta.dirname, '../../../test/data/fixtures/agent/data/agent-data.json');

async function temporary() {
  const directory = await mkdtemp(join(tmpdir(), 'agent-data-'));
  return {
    directory,
    path: join(directory, 'agent-data.json'),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true }),
  };
}

describe('the format', () => {
  test("SPIRE's own file is read, and written again byte for byte", async () => {
    const text = await readFile(fixture, 'utf8');
    const data = parseAgentData(text);
    const [leaf] = data.svid;
    assert.match(parseCertificate(leaf ?? new Uint8Array()).uris[0] ?? '', /\/spire\/agent\//);
    assert.equal(data.bundle.length, 2);
    assert.deepEqual(data.bootstrap, { use: 'rebootstrap', startedAt: undefined, attempts: 0 });
    assert.equal(formatAgentData(data), text);
  });

  test('nothing is written as null', () => {
    assert.equal(
      formatAgentData(emptyAgentData),
      '{"svid":null,"bundle":null,"reattestable":false,"bootstrap_use":1,"bootstrap_start_time":"0001-01-01T00:00:00Z","connection_attempts":0}',
    );
  });

  test('what is written reads back', () => {
    const bootstraps = fc.record(
      {
        use: fc.constantFrom('bootstrap' as const, 'rebootstrap' as const),
        startedAt: fc.option(fc.integer({ min: 0, max: Date.UTC(2100) }), { nil: undefined }),
        attempts: fc.nat(),
      },
      { noNullPrototype: true },
    );
    fc.assert(
      fc.property(bootstraps, fc.boolean(), (bootstrap, reattestable) => {
        const data = { ...emptyAgentData, bootstrap, reattestable };
        assert.deepEqual(parseAgentData(formatAgentData(data)), data);
      }),
    );
  });

  const uses: readonly [json: object, use: string][] = [
    [{}, 'bootstrap'],
    [{ bootstrap_use: 0 }, 'bootstrap'],
    [{ bootstrap_use: 1 }, 'bootstrap'],
    [{ bootstrap_use: 2 }, 'rebootstrap'],
    [{ svid: null, bundle: [] }, 'bootstrap'],
  ];
  for (const [json, use] of uses) {
    test(`${JSON.stringify(json)} is for ${use}`, () => {
      assert.equal(parseAgentData(JSON.stringify(json)).bootstrap.use, use);
    });
  }

  test('a bundle without a use is for rebootstrap', async () => {
    const { bundle } = JSON.parse(await readFile(fixture, 'utf8')) as { bundle: string[] };
    const { bootstrap } = parseAgentData(JSON.stringify({ bundle, bootstrap_use: 0 }));
    assert.equal(bootstrap.use, 'rebootstrap');
  });

  const pem = (body: string, type = 'CERTIFICATE') =>
    Buffer.from(`-----BEGIN ${type}-----\n${body}\n-----END ${type}-----\n`).toString('base64');
  const refusals: readonly [why: string, text: string, message: RegExp][] = [
    ['no JSON', '{"svid":', /^failed to unmarshal data: /],
    ['an empty file', '', /^failed to unmarshal data: /],
    ['a list', '[]', /^failed to unmarshal data: failed to unmarshal data: /],
    ['null', 'null', /^failed to unmarshal data: failed to unmarshal data: /],
    ['a text for a list', '{"svid":"x"}', /svid must be an array$/],
    ['a number in a list', '{"svid":[1]}', /svid must hold strings$/],
    ['a text for a flag', '{"reattestable":"yes"}', /reattestable must be a boolean$/],
    ['a text for a number', '{"connection_attempts":"1"}', /connection_attempts must be a number$/],
    ['a time that is none', '{"bootstrap_start_time":"soon"}', /is no time$/],
    ['no PEM', '{"svid":["AAAA"]}', /failed to parse SVID: no PEM blocks$/],
    [
      'another kind of PEM',
      JSON.stringify({ bundle: [pem('AAAA', 'PRIVATE KEY')] }),
      /failed to parse bundle: expected block type "CERTIFICATE"; got "PRIVATE KEY"$/,
    ],
    [
      'a certificate that is not DER',
      JSON.stringify({ svid: [pem('AAAA')] }),
      /^failed to unmarshal data: failed to parse SVID: /,
    ],
  ];
  for (const [why, text, message] of refusals) {
    test(`refuses ${why}`, () => {
      assert.throws(() => parseAgentData(text), { kind: 'invalid', message });
    });
  }
});

describe('the file', () => {
  test('makes its directory; without a file there is no data', async () => {
    await using place = await temporary();
    const file = await openAgentData(join(place.directory, 'a/b'));
    assert.deepEqual(file.data, emptyAgentData);
  });

  test('changes are durable, private, and in the order they were asked for', async () => {
    await using place = await temporary();
    const file = await openAgentData(place.directory);
    const bootstrap = (attempts: number) => ({
      bootstrap: { ...emptyAgentData.bootstrap, attempts },
    });
    await Promise.all([1, 2, 3].map((attempts) => file.update(bootstrap(attempts))));
    await file.update({ reattestable: true });
    assert.equal((await stat(place.path)).mode & 0o777, 0o600);
    assert.deepEqual(await readdir(place.directory), ['agent-data.json']);
    const { data } = await openAgentData(place.directory);
    assert.deepEqual([data.bootstrap.attempts, data.reattestable], [3, true]);
  });

  test('a write that fails is told, changes nothing, and the next one works', async () => {
    await using place = await temporary();
    const file = await openAgentData(join(place.directory, 'data'));
    await rm(join(place.directory, 'data'), { recursive: true });
    await assert.rejects(file.update({ reattestable: true }), {
      message: /^failed to write data file: /,
    });
    assert.equal(file.data.reattestable, false);
    await openAgentData(join(place.directory, 'data'));
    await file.update({ reattestable: true });
    assert.equal(file.data.reattestable, true);
  });

  test('comes back with its directory when it was removed, and not otherwise', async () => {
    await using place = await temporary();
    const file = await openAgentData(join(place.directory, 'data'));
    await file.update({ reattestable: true });
    assert.equal(await file.mend(), false);
    await rm(join(place.directory, 'data'), { recursive: true });
    assert.equal(await file.mend(), true);
    const { data } = await openAgentData(join(place.directory, 'data'));
    assert.equal(data.reattestable, true);
  });

  test('refuses a file that it cannot understand, and leaves it as it is', async () => {
    await using place = await temporary();
    await writeFile(place.path, '{"svid":["AAAA"]}');
    await assert.rejects(openAgentData(place.directory), {
      kind: 'invalid',
      message:
        /^failed to open storage: failed to unmarshal data: .*agent-data\.json: restore the file, or remove it/,
    });
    assert.equal(await readFile(place.path, 'utf8'), '{"svid":["AAAA"]}');
  });

  test('refuses a place that is no directory', async () => {
    await using place = await temporary();
    await writeFile(place.path, '');
    await assert.rejects(openAgentData(place.path), { message: /^failed to open storage: / });
  });

  test('refuses a file that it cannot read', async () => {
    await using place = await temporary();
    await symlink(place.path, place.path);
    await assert.rejects(openAgentData(place.directory), {
      message: /^failed to open storage: failed to read data: .*too many levels of symbolic links/,
    });
  });
});
