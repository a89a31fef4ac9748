/**
 * Records what SPIRE leaves behind after the history of `test/kit/hand-over/history.ts`:
 * `node tools/record-hand-over.ts <path of SPIRE's spire-server>`. Run by hand, when the history changes.
 */
import { copyFile, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { generateKey } from '../src/crypto/keys.ts';
import { leafOf, rootAuthority } from '../test/kit/certificates.ts';
import { readAnswers } from '../test/kit/hand-over/answers.ts';
import { playHistory, TRUST_DOMAIN } from '../test/kit/hand-over/history.ts';
import {
  handOverFixture,
  type Inputs,
  identitiesText,
  readInputs,
  toBase64,
} from '../test/kit/hand-over/inputs.ts';
import { HandOverServer } from '../test/kit/hand-over/server-process.ts';
import type { Identity } from '../test/kit/server-callers.ts';

const [spireServer = ''] = process.argv.slice(2);
if (spireServer === '') throw new Error('say where spire-server of SPIRE 1.16 is');

await mkdir(handOverFixture, { recursive: true });
const inputs = await readInputs().catch(makeInputs);
const folder = await mkdtemp(join(tmpdir(), 'hand-over-'));
await mkdir(join(folder, 'data'), { mode: 0o700 });

{
  await using server = await HandOverServer.start(spireServer, folder, {
    ...inputs,
    trustDomain: TRUST_DOMAIN,
  });
  using local = server.local();
  const network = (identity?: Identity) => server.network(identity);
  const identities = await playHistory({ inputs, local, network });
  await writeFile(join(handOverFixture, 'identities.json'), `${identitiesText(identities)}\n`);
}
for (const name of ['datastore.sqlite3', 'keys.json']) {
  const file = join(folder, 'data', name);
  if (name.endsWith('sqlite3')) {
    using database = new DatabaseSync(file);
    database.exec('pragma wal_checkpoint(truncate)');
  }
  await copyFile(file, join(handOverFixture, name));
}
await recordAnswers(folder, TRUST_DOMAIN, 'answers.json');
await rm(folder, { recursive: true });

{
  const golden = await mkdtemp(join(tmpdir(), 'hand-over-'));
  await cp(join(handOverFixture, '../server/data'), join(golden, 'data'), { recursive: true });
  await recordAnswers(golden, 'golden.test', 'answers-golden.json');
  await rm(golden, { recursive: true });
}

/** What SPIRE makes of its files after a restart. */
async function recordAnswers(folder: string, trustDomain: string, name: string): Promise<void> {
  await using server = await HandOverServer.start(spireServer, folder, { ...inputs, trustDomain });
  using local = server.local();
  const text = JSON.stringify(await readAnswers(local), null, 1);
  await writeFile(join(handOverFixture, name), `${text}\n`);
}

/** Certificates of decades, made once. */
async function makeInputs(): Promise<Inputs> {
  const valid = { notBefore: 1_700_000_000, notAfter: 4_102_444_800 };
  const root = async (name: string) => toBase64((await rootAuthority(name, valid)).certificate.der);
  const nodes = await rootAuthority('nodes', { ...valid, keyUsage: [] });
  const node = async (name: string) => {
    const uris = [`x509pop://rich.test/cluster/${name}`];
    const purpose = { keyUsage: ['digitalSignature' as const], extendedKeyUsage: [] };
    const { certificate, key } = await leafOf(nodes, '', { ...valid, ...purpose, uris });
    return { certificate: toBase64(certificate.der), privateKey: toBase64(key.toPkcs8()) };
  };
  const made: Inputs = {
    roots: {
      one: await root('one'),
      two: await root('two'),
      four: await root('four'),
      own: await root('own'),
    },
    jwtKey: toBase64((await generateKey('ec-p256')).publicKey.spki),
    nodeCa: toBase64(nodes.certificate.der),
    nodes: [await node('node-0'), await node('node-1')],
  };
  await writeFile(join(handOverFixture, 'inputs.json'), `${JSON.stringify(made, null, 1)}\n`);
  return JSON.parse(await readFile(join(handOverFixture, 'inputs.json'), 'utf8')) as Inputs;
}
