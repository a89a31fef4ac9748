import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { after, before, suite, test } from 'node:test';
import { writePem } from '../../src/crypto/pem.ts';
import { rootAuthority } from '../kit/certificates.ts';
import { bundleJson } from '../kit/local-authority.ts';
import { eventually, runProgram, spireServer } from '../kit/programs.ts';
import { standard } from '../kit/standard-domain.ts';
import { TrustDomainProcesses } from '../kit/trust-domain.ts';

/** SPIRE's scenario spire-server-cli. Its steps follow each other on one server. */
suite('the commands of spire-server', () => {
  let domain: TrustDomainProcesses;
  before(async () => {
    domain = await TrustDomainProcesses.create({ ...standard, serverAttestors: '' });
    await domain.startServer();
  });
  after(() => domain[Symbol.asyncDispose]());

  const run = async (...words: readonly string[]) => (await domain.runServer(...words)).stdout;
  const runWith = async (input: string, ...words: readonly string[]): Promise<string> => {
    const command = [spireServer, ...words, '-socketPath', domain.serverSocket];
    const { code, stdout, stderr } = await runProgram(command, { input });
    assert.equal(code, 0, stderr);
    return stdout;
  };
  const file = async (name: string, text: string): Promise<string> => {
    await writeFile(domain.path(name), text);
    return domain.path(name);
  };

  test('bundles', async () => {
    assert.match(await run('bundle', 'count'), /\b1\b/);
    const own = new X509Certificate(await run('bundle', 'show'));
    assert.equal(own.subjectAltName, 'URI:spiffe://domain.test');
    await run('bundle', 'show', '-format', 'spiffe');

    const federated = ['-id', 'spiffe://federated.td'];
    const [first, second] = [await foreignPem(), await foreignPem()];
    await runWith(first, 'bundle', 'set', ...federated);
    assert.ok((await run('bundle', 'list', ...federated)).includes(first.trim()));
    await run('bundle', 'set', ...federated, '-path', await file('second.pem', second));
    const replaced = await run('bundle', 'list', ...federated);
    assert.ok(replaced.includes(second.trim()) && !replaced.includes(first.trim()), replaced);

    const federated2 = ['-id', 'spiffe://federated2.td', '-format', 'spiffe'];
    const [third, fourth] = [await foreignDocument(), await foreignDocument()];
    await runWith(third.text, 'bundle', 'set', ...federated2);
    assert.ok((await run('bundle', 'list', ...federated2)).includes(third.x));
    assert.match(await run('bundle', 'count'), /\b3\b/);
    await run('bundle', 'set', ...federated2, '-path', await file('fourth.json', fourth.text));
    const replaced2 = await run('bundle', 'list', ...federated2);
    assert.ok(replaced2.includes(fourth.x) && !replaced2.includes(third.x), replaced2);

    const names = async () =>
      (await run('bundle', 'list')).match(/^.*federated2?\.td.*$/gm)?.length;
    assert.equal(await names(), 2);
    await run('bundle', 'delete', ...federated);
    assert.equal(await names(), 1);
    assert.match(await run('bundle', 'count'), /\b2\b/);
    assert.deepEqual((await bundleJson(domain)).wit_authorities, []);
  });

  test('entries', async () => {
    for (const name of ['federated1.test', 'federated2.test']) {
      await runWith(await foreignPem(), 'bundle', 'set', '-id', `spiffe://${name}`);
    }
    const federated = (n: number) => ['-federatesWith', `spiffe://federated${n}.test`];
    const of = (parent: string, id: string) => {
      return ['-parentID', domain.id(parent), '-spiffeID', domain.id(id)];
    };
    const selectors = (...list: string[]) => list.flatMap((one) => ['-selector', one]);
    const first = [...selectors('s1:v1'), ...of('/parent', '/child1'), ...federated(1)];
    await run('entry', 'create', ...first, '-admin');
    const notUpdated = of('/parentNotUpdated', '/child2NotUpdated');
    await run(
      'entry',
      'create',
      ...selectors('notUpdated:notUpdated'),
      ...notUpdated,
      '-downstream',
    );
    const otherChild = ['-node', '-spiffeID', domain.id('/otherChild')];
    const other = selectors('otherS:otherV');
    const more = ['-dns', 'dnsname1', '-x509SVIDTTL', '123'];
    await run('entry', 'create', ...other, ...otherChild, ...more);

    assert.match(await run('entry', 'count'), /\b3\b/);
    const shown = async (path: string): Promise<Fields> =>
      onlyEntry(await run('entry', 'show', '-spiffeID', domain.id(path)));
    const created = [
      await shown('/child1'),
      await shown('/child2NotUpdated'),
      await shown('/otherChild'),
    ];
    const ids = created.map(({ 'Entry ID': [id = ''] = [] }) => id);
    assert.equal(new Set(ids).size, 3);
    assert.deepEqual(created, [
      entry(ids[0], domain.id('/child1'), domain.id('/parent'), 0, 'default', ['s1:v1'], {
        FederatesWith: ['federated1.test'],
        Admin: ['true'],
      }),
      entry(
        ids[1],
        domain.id('/child2NotUpdated'),
        domain.id('/parentNotUpdated'),
        0,
        'default',
        ['notUpdated:notUpdated'],
        { Downstream: ['true'] },
      ),
      entry(
        ids[2],
        domain.id('/otherChild'),
        domain.id('/spire/server'),
        0,
        '123',
        ['otherS:otherV'],
        { 'DNS name': ['dnsname1'] },
      ),
    ]);

    const update = (index: number, ...flags: readonly string[]) =>
      run('entry', 'update', '-entryID', ids[index] ?? '', ...flags);
    await update(0, ...first, '-x509SVIDTTL', '456');
    const both = [...federated(1), ...federated(2)];
    const second = [...selectors('s1:v1', 's2:v2'), ...of('/parent', '/child2')];
    await update(1, ...second, ...both, '-dns', 'dnsname2');
    const third = of('/spire/server', '/child3');
    await update(2, ...other, ...third, '-admin', '-downstream');
    assert.deepEqual(
      [await shown('/child1'), await shown('/child2'), await shown('/child3')],
      [
        entry(ids[0], domain.id('/child1'), domain.id('/parent'), 1, '456', ['s1:v1'], {
          FederatesWith: ['federated1.test'],
        }),
        entry(
          ids[1],
          domain.id('/child2'),
          domain.id('/parent'),
          1,
          'default',
          ['s1:v1', 's2:v2'],
          {
            FederatesWith: ['federated1.test', 'federated2.test'],
            'DNS name': ['dnsname2'],
          },
        ),
        entry(
          ids[2],
          domain.id('/child3'),
          domain.id('/spire/server'),
          1,
          'default',
          ['otherS:otherV'],
          { Downstream: ['true'], Admin: ['true'] },
        ),
      ],
    );

    const found = async (...flags: readonly string[]) => {
      const text = await run('entry', 'show', ...flags);
      const [, count] = /^Found (\d+) entr(?:y|ies)$/m.exec(text) ?? [];
      const listed = entriesIn(text).map(({ 'Entry ID': [id = ''] = [] }) => ids.indexOf(id) + 1);
      assert.equal(Number(count), listed.length, text);
      return listed.toSorted((a, b) => a - b);
    };
    assert.deepEqual(await found('-parentID', domain.id('/parent')), [1, 2]);
    assert.deepEqual(await found(...selectors('s1:v1')), [1, 2]);
    assert.deepEqual(await found(...selectors('s1:v1', 's2:v2')), [2]);
    assert.deepEqual(await found(...selectors('s1:v1'), '-matchSelectorsOn', 'exact'), [1]);
    assert.deepEqual(await found(), [1, 2, 3]);
    await run('entry', 'delete', '-entryID', ids[0] ?? '');
    assert.deepEqual(await found(), [2, 3]);
    assert.match(await run('entry', 'count'), /\b2\b/);
  });

  test('agents', async () => {
    await domain.writeBundle();
    for (const n of [1, 2, 3]) {
      const agent = await domain.addAgent(`agent${n}`);
      await agent.start('-joinToken', await domain.newToken('-spiffeID', domain.id(`/node${n}`)));
    }
    await eventually(
      async () => /\b3\b/.test(await run('agent', 'count')),
      'the server to know three agents',
    );
    const ids: string[] = [];
    for (const n of [1, 2, 3]) {
      const alias = onlyEntry(await run('entry', 'show', '-spiffeID', domain.id(`/node${n}`)));
      ids.push(alias['Parent ID']?.[0] ?? '');
    }
    const listed = async () => {
      const text = await run('agent', 'list');
      return { text, ids: [...text.matchAll(/^SPIFFE ID\s+: (\S+)$/gm)].map(([, id = '']) => id) };
    };
    const all = await listed();
    assert.match(all.text, /^Found 3 attested agents:$/m);
    assert.deepEqual(all.text.match(/^Attestation type\s+: join_token$/gm)?.length, 3);
    assert.deepEqual(all.ids.toSorted(), ids.toSorted());
    const show = (id = '') => domain.tryServer('agent', 'show', '-spiffeID', id);
    const isShown = async (id = '') => {
      const { code, stdout } = await show(id);
      assert.equal(code, 0);
      assert.match(stdout, /^Found an attested agent given its SPIFFE ID$/m);
      assert.ok(stdout.includes(`SPIFFE ID         : ${id}\n`), stdout);
      assert.match(stdout, /^Attestation type {2}: join_token$/m);
      return stdout;
    };
    for (const id of ids) await isShown(id);

    const [first = '', second, third] = ids;
    assert.match(await run('agent', 'ban', '-spiffeID', first), /^Agent banned successfully$/m);
    assert.match((await listed()).text, /^Found 3 attested agents:$/m);
    assert.match(await isShown(first), /^Banned {12}: true$/m);
    assert.match(await run('agent', 'evict', '-spiffeID', first), /^Agent evicted successfully$/m);
    assert.match((await listed()).text, /^Found 2 attested agents:$/m);
    assert.notEqual((await show(first)).code, 0);
    for (const id of [second, third]) await isShown(id);
  });

  test('validate tells all that is wrong with plugins in one run', async () => {
    await domain.configure({
      ...standard,
      serverAttestors: `
        NodeAttestor "x509pop" { plugin_data_file = "conf/server/x509pop.conf" }
        UpstreamAuthority "disk" { plugin_data {} }`,
    });
    const config = ['-config', domain.path('server.conf')];
    const { code, stdout, stderr } = await runProgram([spireServer, 'validate', ...config], {
      cwd: domain.folder,
    });
    assert.notEqual(code, 0);
    const told = stdout + stderr;
    assert.ok(
      told.includes(
        'failed to read plugin configuration: open conf/server/x509pop.conf: no such file or directory',
      ),
      told,
    );
    assert.ok(
      told.includes("'cert_file_path' and 'key_file_path' must be set and not empty"),
      told,
    );
  });
});

/** The lines of one entry: label, and the values that stand behind it. */
type Fields = Readonly<Record<string, readonly string[]>>;

function entriesIn(text: string): Fields[] {
  const entries: Record<string, string[]>[] = [];
  for (const [, label = '', value = ''] of text.matchAll(/^(.{24}): (.*)$/gm)) {
    if (label.trim() === 'Entry ID') entries.push({});
    const entry = entries.at(-1) ?? assert.fail(text);
    (entry[label.trim()] ??= []).push(value);
  }
  return entries;
}

function onlyEntry(text: string): Fields {
  assert.match(text, /^Found 1 entry$/m);
  const [entry, ...others] = entriesIn(text);
  assert.deepEqual(others, []);
  return entry ?? assert.fail(text);
}

const entry = (
  id: string | undefined,
  spiffeId: string,
  parentId: string,
  revision: number,
  ttl: string,
  selectors: readonly string[],
  more: Fields,
): Fields => ({
  'Entry ID': [id ?? ''],
  'SPIFFE ID': [spiffeId],
  'Parent ID': [parentId],
  Revision: [String(revision)],
  'X509-SVID TTL': [ttl],
  'JWT-SVID TTL': ['default'],
  Selector: selectors,
  ...more,
});

async function foreignPem(): Promise<string> {
  const { certificate } = await rootAuthority('of another trust domain');
  return writePem('CERTIFICATE', certificate.der);
}

/** A bundle as a document, and what its key is recognised by. */
async function foreignDocument(): Promise<{ readonly text: string; readonly x: string }> {
  const { certificate } = await rootAuthority('of another trust domain');
  const { x, y } = new X509Certificate(certificate.der).publicKey.export({ format: 'jwk' });
  const jwk = {
    use: 'x509-svid',
    kty: 'EC',
    crv: 'P-256',
    x,
    y,
    x5c: [Buffer.from(certificate.der).toString('base64')],
  };
  return { text: JSON.stringify({ keys: [jwk] }), x: x ?? '' };
}
