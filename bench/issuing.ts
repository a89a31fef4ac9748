/** SVIDs issued a second, and the server's CPU for each, beside what OpenSSL alone needs on this machine. */
import { execFileSync } from 'node:child_process';
import { buildCsr } from '../src/crypto/csr.ts';
import { generateKey } from '../src/crypto/keys.ts';
import { Entry } from '../src/wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import { SVID } from '../src/wire/gen/spire/api/server/svid/v1/svid_pb.ts';
import { eventually } from '../test/kit/programs.ts';
import { attestAsAgent, createEntries } from './kit/agent-client.ts';
import { BenchDomain, cpuMilliseconds } from './kit/domain.ts';
import { figure, title } from './kit/figures.ts';
import { startWatchedServer } from './kit/loop-watch.ts';

const BATCH = 500;
const BATCHES = 20;
/** Until then the code is still being compiled, and that CPU is not what an SVID costs. */
const WARM_UP_BATCHES = 20;
const WARM_UP_JWT_CALLS = 5000;
const JWT_CALLS = 5000;
const JWT_AT_ONCE = 50;

export async function issuing(): Promise<void> {
  title('Issuing');
  const bound = opensslBound();
  figure('OpenSSL: P-256 sign + verify', bound, 'µs');
  await using domain = await BenchDomain.create();
  const watch = await startWatchedServer(domain);
  const { program } = watch;
  const client = await attestAsAgent(domain);
  const entryClient = client.admin.client(Entry);
  const ids = await createEntries(entryClient, BATCH, {
    parentPath: client.agentPath,
    selector: 'unix:uid:1',
  });
  const svid = client.channel.client(SVID);
  const params = await Promise.all(
    ids.map(async (entryId) => {
      const key = await generateKey('ec-p256');
      return { entryId, csr: await buildCsr({ uris: [], dnsNames: [] }, key) };
    }),
  );
  const measure = async (count: number, work: () => Promise<void>) => {
    const [cpu, wall] = [await cpuMilliseconds(program), performance.now()];
    await work();
    const seconds = (performance.now() - wall) / 1000;
    const cpuMicroseconds = ((await cpuMilliseconds(program)) - cpu) * 1000;
    return { perSecond: count / seconds, cpuEach: cpuMicroseconds / count };
  };
  const issueBatch = async () => {
    const { results } = await svid.batchNewX509SVID({ params });
    const failed = results.find(({ status }) => status?.code !== 0);
    if (failed !== undefined) throw new Error(failed.status?.message);
  };
  const issueBatches = async (count: number) => {
    for (let i = 0; i < count; i++) await issueBatch();
  };
  // SPIRE's server reads new entries every 5 s only.
  await eventually(
    () =>
      issueBatch().then(
        () => true,
        () => false,
      ),
    'the entries to be known',
  );
  await issueBatches(WARM_UP_BATCHES);
  const x509 = await measure(BATCH * BATCHES, () => issueBatches(BATCHES));
  figure(`X509-SVIDs a second, in batches of ${BATCH}`, x509.perSecond);
  figure('server CPU for each (SPIRE 672)', x509.cpuEach, 'µs');
  figure('times OpenSSL’s own part', x509.cpuEach / bound);
  await watch.during('issuing', () => issueBatches(BATCHES));

  const issueJwts = async (count: number) => {
    let left = count;
    const worker = async () => {
      while (left-- > 0) {
        await svid.newJWTSVID({ entryId: ids[left % ids.length] ?? '', audience: ['bench'] });
      }
    };
    await Promise.all(Array.from({ length: JWT_AT_ONCE }, worker));
  };
  await issueJwts(WARM_UP_JWT_CALLS);
  const jwt = await measure(JWT_CALLS, () => issueJwts(JWT_CALLS));
  figure(`JWT-SVIDs a second, ${JWT_AT_ONCE} calls at once`, jwt.perSecond);
  figure('server CPU for each (SPIRE 1074)', jwt.cpuEach, 'µs');
  await watch.during('issuing these', () => issueJwts(JWT_CALLS));

  client.channel[Symbol.dispose]();
  client.admin[Symbol.dispose]();
}

/** Microseconds of one core for a P-256 signature and its verification. */
function opensslBound(): number {
  const text = execFileSync('openssl', ['speed', '-seconds', '1', 'ecdsap256'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [, sign, verify] = /nistp256\)\s+\S+s\s+\S+s\s+([\d.]+)\s+([\d.]+)/.exec(text) ?? [];
  return 1e6 / Number(sign) + 1e6 / Number(verify);
}
