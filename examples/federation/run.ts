/**
 * Two companies that trust each other's identities: a broker's web page shows stock quotes, which it fetches every
 * second over mTLS from the stock market. Everything runs until Ctrl-C.
 *
 *   node_modules/.bin/node examples/federation/run.ts [https_spiffe | https_web]
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type MakeProfile, profiles } from './profiles.ts';
import { freePort, TrustDomain } from './trust-domain.ts';

const [, , profileName = 'https_spiffe'] = process.argv;
const makeProfile = profiles[profileName];
if (makeProfile === undefined) {
  console.error(`no profile "${profileName}"; there are ${Object.keys(profiles).join(' and ')}`);
  process.exit(1);
}

const folder = await mkdtemp(join(tmpdir(), 'steeple-federation-'));
const broker = await TrustDomain.create('broker.example', folder);
const market = await TrustDomain.create('stockmarket.example', folder);
const both = [
  [broker, market],
  [market, broker],
] as const;

async function start(makeProfile: MakeProfile): Promise<void> {
  const { section, authority, needsBootstrap } = await makeProfile(folder);
  say(`Two trust domains, federated by ${profileName}, in ${folder}`);
  for (const [own, other] of both) {
    await own.startServer(section(own, other), authority);
    step('server', `${own.name} serves its bundle at https://localhost:${own.endpointPort}`);
  }
  for (const [own, other] of both) {
    if (needsBootstrap) await own.meet(other);
    await own.server('federation', 'refresh', '-id', other.name);
    step('bundle', `${own.name} has fetched that of ${other.name}`);
  }
  const [quotes, webapp] = [market.id('/quotes-service'), broker.id('/webapp')];
  await market.createEntry('/quotes-service', broker);
  await broker.createEntry('/webapp', market);
  for (const [own] of both) await own.startAgent();
  step('agents', 'attested; each workload gets both bundles');

  const quotesPort = String(await freePort());
  const pagePort = process.env['PORT'] ?? String(await freePort());
  step('market', await market.startWorkload('quotes.ts', { PORT: quotesPort, CLIENT: webapp }));
  const page = { PORT: pagePort, QUOTES: `https://127.0.0.1:${quotesPort}`, SERVICE: quotes };
  step('broker', await broker.startWorkload('broker.ts', page));
  say(`\nOpen http://127.0.0.1:${pagePort}/ to see the quotes; Ctrl-C ends it all.`);
}

async function stop(): Promise<void> {
  await Promise.all([broker.stop(), market.stop()]);
  await rm(folder, { recursive: true, force: true });
}

function say(text: string): void {
  console.log(text);
}

function step(who: string, what: string): void {
  console.log(`  ${who.padEnd(8)} ${what}`);
}

const told = new Promise<void>((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      resolve();
    });
  }
});
try {
  await Promise.race([told, start(makeProfile).then(() => told)]);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  await stop();
}
