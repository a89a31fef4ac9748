/**
 * `make demo`: a trust domain from nothing. A server and an agent start, two workloads get identities because of who
 * they are, and talk mTLS; a third one, whom no entry names, gets none. DEMO_KEEP=1 leaves everything running.
 */
import { chmod, copyFile, link, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { DemoProgram, listens } from './program.ts';

const TRUST_DOMAIN = 'demo.test';
const ID_PREFIX = `spiffe://${TRUST_DOMAIN}`;
const NODE = `${ID_PREFIX}/node`;
/** Users that exist nowhere; a process needs no account to run as one. */
const USERS = { web: 61_001, db: 61_002, stranger: 61_003 };
type Workload = keyof typeof USERS;

const root = join(import.meta.dirname, '../..');
const asRoot = process.getuid?.() === 0;
const started = performance.now();
const folder = await mkdtemp(join(tmpdir(), 'steeple-demo-'));
const at = (name: string) => join(folder, name);
const running: DemoProgram[] = [];

async function demo(): Promise<void> {
  say(`A trust domain, ${TRUST_DOMAIN}, in ${folder}`);
  await prepareFolder();
  const port = await freePort();
  await writeFile(at('server.conf'), serverConf(port));
  await writeFile(at('agent.conf'), agentConf(port));

  await start('spire-server', 'server.conf', at('server.sock'));
  step('server', `listens on 127.0.0.1:${port}, with a certificate authority of its own`);
  await writeFile(at('bundle.pem'), await server('bundle', 'show'));
  const token = (await server('token', 'generate', '-spiffeID', NODE)).replace('Token: ', '');
  step('token', 'a join token for one agent, good for one use');
  await start('spire-agent', 'agent.conf', at('public/agent.sock'), '-joinToken', token);
  step('agent', `attested with the token; serves the Workload API at ${at('public/agent.sock')}`);

  const selectors = asRoot
    ? { web: `unix:uid:${USERS.web}`, db: `unix:uid:${USERS.db}` }
    : { web: `unix:path:${node('web')}`, db: `unix:path:${node('db')}` };
  if (!asRoot) say('  (not run by root: the workloads are told apart by their executable)');
  for (const name of ['web', 'db'] as const) {
    await server(
      'entry',
      'create',
      '-parentID',
      NODE,
      '-spiffeID',
      id(name),
      '-selector',
      selectors[name],
    );
    step('entry', `${selectors[name]} is ${id(name)}`);
  }
  await entriesServed();

  say('\nTwo workloads talk mTLS');
  const db = workload('db', 'serve');
  await db.until(() => db.output.includes('\n'));
  const heard = await workload('web', 'call', db.output.trim()).result();
  await db.result();
  step('web', heard);

  say('\nA JWT-SVID, fetched by web and validated');
  const jwt = await workload('web', 'token').result();
  const audience = ['-audience', 'demo', '-svid', jwt, '-socketPath', at('public/agent.sock')];
  const valid = await new DemoProgram([
    join(root, 'bin/spire-agent'),
    'api',
    'validate',
    'jwt',
    ...audience,
  ]).result();
  step('agent', valid.split('\n').slice(0, 2).join(' ').replace(' :', ':'));

  say('\nA process that no entry names asks too');
  step('stranger', await workload('stranger', 'ask').result(1));
  say(`\nDone in ${((performance.now() - started) / 1000).toFixed(1)} s.`);
}

/** What the workloads run must be theirs to read, wherever this clone is. */
async function prepareFolder(): Promise<void> {
  await chmod(folder, 0o755);
  await build({
    absWorkingDir: root,
    entryPoints: ['tools/demo/workload.ts'],
    outfile: at('workload.mjs'),
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
  });
  for (const name of Object.keys(USERS) as Workload[]) {
    await mkdir(at(name));
    await link(process.execPath, node(name)).catch(() => copyFile(process.execPath, node(name)));
  }
}

/** Each workload has its own copy of Node, so that it can be told by its path too. */
const node = (name: Workload): string => join(folder, name, 'node');
const id = (name: Workload): string => `${ID_PREFIX}/${name}`;

const workload = (name: Workload, ...words: readonly string[]): DemoProgram =>
  new DemoProgram([node(name), at('workload.mjs'), ...words], {
    cwd: folder,
    env: { SPIFFE_ENDPOINT_SOCKET: `unix://${at('public/agent.sock')}` },
    ...(asRoot && { uid: USERS[name], gid: USERS[name] }),
  });

async function start(program: string, conf: string, socket: string, ...flags: readonly string[]) {
  const command = [join(root, 'bin', program), 'run', '-config', at(conf), ...flags];
  const process = new DemoProgram(command, { detached: true });
  running.push(process);
  await process.until(() => listens(socket));
}

const server = (...words: readonly string[]): Promise<string> =>
  new DemoProgram([
    join(root, 'bin/spire-server'),
    ...words,
    '-socketPath',
    at('server.sock'),
  ]).result();

/** The agent hears of new entries when it next asks. */
async function entriesServed(): Promise<void> {
  const [agent] = running.slice(-1);
  for (const name of ['web', 'db'] as const) {
    await agent?.until(async () => {
      const probe = workload(name, 'ask');
      return probe.result().then(
        () => true,
        () => false,
      );
    });
  }
}

async function cleanUp(): Promise<void> {
  for (const process of running.reverse()) await process.stop();
  await rm(folder, { recursive: true, force: true });
}

function keep(): void {
  for (const { child } of running) {
    child.stdout?.destroy();
    child.stderr?.destroy();
    child.unref();
  }
  say(`
Everything is still running. Play on, in ${root}:
  bin/spire-server entry show -socketPath ${at('server.sock')}
  bin/spire-server agent list -socketPath ${at('server.sock')}
  bin/spire-server entry create -socketPath ${at('server.sock')} \\
      -parentID ${NODE} -spiffeID ${ID_PREFIX}/me -selector unix:uid:$(id -u)
  bin/spire-agent api fetch x509 -socketPath ${at('public/agent.sock')}
  bin/steeple explain -socketPath ${at('private/admin.sock')} -pid $$
  tail ${at('server.log')} ${at('agent.log')}
and when you have had enough:
  kill ${running.map(({ child }) => child.pid).join(' ')}; rm -rf ${folder}`);
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => {
        if (typeof address === 'object' && address !== null) resolve(address.port);
      });
    });
  });
}

function say(text: string): void {
  console.log(text);
}

function step(who: string, what: string): void {
  console.log(`  ${who.padEnd(9)} ${what}`);
}

const serverConf = (port: number): string => `
server {
  bind_address = "127.0.0.1"
  bind_port = "${port}"
  socket_path = "${at('server.sock')}"
  trust_domain = "${TRUST_DOMAIN}"
  data_dir = "${at('server')}"
  log_file = "${at('server.log')}"
}
plugins {
  DataStore "sql" {
    plugin_data { database_type = "sqlite3" connection_string = "${at('server')}/datastore.sqlite3" }
  }
  KeyManager "disk" { plugin_data { keys_path = "${at('server')}/keys.json" } }
  NodeAttestor "join_token" { plugin_data {} }
}
`;

const agentConf = (port: number): string => `
agent {
  data_dir = "${at('agent')}"
  server_address = "127.0.0.1"
  server_port = "${port}"
  socket_path = "${at('public/agent.sock')}"
  admin_socket_path = "${at('private/admin.sock')}"
  trust_bundle_path = "${at('bundle.pem')}"
  trust_domain = "${TRUST_DOMAIN}"
  log_file = "${at('agent.log')}"
}
plugins {
  NodeAttestor "join_token" { plugin_data {} }
  KeyManager "disk" { plugin_data { directory = "${at('agent')}" } }
  WorkloadAttestor "unix" { plugin_data { discover_workload_path = true } }
}
`;

let interrupted = false;
for (const [signal, exitCode] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  process.once(signal, () => {
    interrupted = true;
    void cleanUp().finally(() => process.exit(exitCode));
  });
}
try {
  await demo();
  if (process.env['DEMO_KEEP'] === '1') keep();
  else await cleanUp();
} catch (error) {
  // Ctrl-C ends what the demo has started too: that is no failure to tell of.
  if (!interrupted) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
    await cleanUp();
  }
}
