import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import {
  accepts,
  eventually,
  freePort,
  type Outcome,
  Program,
  type ProgramOptions,
  runProgram,
  spireAgent,
  spireServer,
} from './programs.ts';
import { Relay } from './relay.ts';

export type TrustDomainOptions = {
  readonly name?: string;
  /** Lines for the `server` and `agent` blocks of the configuration files. */
  readonly server?: string;
  readonly agent?: string;
  /** Sections beside these, such as `telemetry`. */
  readonly serverSections?: string;
  readonly agentSections?: string;
  /** Node attestor plugins; the default is `join_token` on both sides. */
  readonly serverAttestors?: string;
  readonly agentAttestor?: string;
  /** `KeyManager "disk"` in the agent's data directory if absent. */
  readonly agentKeyManager?: string;
  /** The agents' `unix` without settings if absent. */
  readonly workloadAttestor?: string;
  /** `KeyManager "disk"` in the data directory if absent. */
  readonly serverKeyManager?: string;
  /** How often agents ask what is new: often, so that no test waits for it. */
  readonly syncInterval?: string;
  /** Whether agents have an admin socket; false if absent. */
  readonly adminSocket?: boolean;
  /** Variables for the server's process. */
  readonly environment?: NodeJS.ProcessEnv;
};

export type AgentOptions = Pick<
  TrustDomainOptions,
  | 'agent'
  | 'agentSections'
  | 'agentAttestor'
  | 'agentKeyManager'
  | 'workloadAttestor'
  | 'syncInterval'
  | 'adminSocket'
>;

/** A server and agents as processes, in a folder of their own. */
export class TrustDomainProcesses implements AsyncDisposable {
  readonly name: string;
  readonly folder: string;
  readonly port: number;
  readonly firstAgent: AgentProcess;
  readonly #options: TrustDomainOptions;
  readonly #programs: Program[] = [];
  readonly #relays = new Map<string, Promise<Relay>>();
  server!: Program;

  private constructor(options: TrustDomainOptions, folder: string, port: number) {
    this.name = options.name ?? 'example.test';
    this.folder = folder;
    this.port = port;
    this.#options = options;
    this.firstAgent = new AgentProcess(this, 'agent');
  }

  static async create(options: TrustDomainOptions = {}): Promise<TrustDomainProcesses> {
    const folder = await mkdtemp(join(tmpdir(), 'td-'));
    // Workloads of other users must reach the sockets in it.
    await chmod(folder, 0o755);
    const domain = new TrustDomainProcesses(options, folder, await freePort());
    await domain.configure(options);
    await domain.firstAgent.configure(options);
    return domain;
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  id(path: string): string {
    return `spiffe://${this.name}${path}`;
  }

  /** Beside the folder: admin sockets may not be where the public one is. */
  get adminFolder(): string {
    return `${this.folder}-admin`;
  }

  get serverSocket(): string {
    return this.path('server.sock');
  }

  get agent(): Program {
    return this.firstAgent.program;
  }

  get agentSocket(): string {
    return this.firstAgent.socket;
  }

  /** What entries name as parent: an alias that every token of `prepareAgent` gives. */
  get agentId(): string {
    return this.id('/node');
  }

  /** Writes the server's configuration file again; it counts from the next start on. */
  async configure(options: TrustDomainOptions): Promise<void> {
    await writeFile(this.path('server.conf'), serverConf(this, options));
  }

  /** A program that ends with the trust domain at the latest. */
  run(command: readonly string[], options?: ProgramOptions): Program {
    const program = new Program(command, options);
    this.#programs.push(program);
    return program;
  }

  /** Starts the server without waiting for anything. */
  runServerProcess(): Program {
    const { environment: env } = this.#options;
    const command = [spireServer, 'run', '-config', this.path('server.conf')];
    this.server = this.run(command, env && { env });
    return this.server;
  }

  async startServer(): Promise<void> {
    await listening(this.runServerProcess(), { path: this.serverSocket });
    await listening(this.server, { host: '127.0.0.1', port: this.port });
  }

  async restartServer(): Promise<void> {
    await this.server.stop();
    await this.startServer();
  }

  /** Starts the agent; with a token, for its first attestation. */
  startAgent(...flags: readonly string[]): Promise<void> {
    return this.firstAgent.start(...flags);
  }

  async restartAgent(): Promise<void> {
    await this.agent.stop();
    await this.startAgent();
  }

  /** One more agent, in folders of its own. Nothing runs yet. */
  async addAgent(name: string, options: AgentOptions = this.#options): Promise<AgentProcess> {
    const agent = new AgentProcess(this, name);
    await agent.configure(options);
    return agent;
  }

  /** Writes the bundle where the agent looks for it, and makes a join token for the agent's alias. */
  async prepareAgent(): Promise<string> {
    await this.writeBundle();
    return this.newToken('-spiffeID', this.agentId);
  }

  async writeBundle(): Promise<void> {
    const bundle = await this.runServer('bundle', 'show');
    await writeFile(this.path('bundle.pem'), bundle.stdout);
  }

  async newToken(...flags: readonly string[]): Promise<string> {
    const { stdout } = await this.runServer('token', 'generate', ...flags);
    return /^Token: (\S+)$/m.exec(stdout)?.[1] ?? assert.fail(`no token in: ${stdout}`);
  }

  /** A command of `spire-server` against this server. */
  tryServer(...words: readonly string[]): Promise<Outcome> {
    return runProgram([spireServer, ...words, '-socketPath', this.serverSocket]);
  }

  /** The same; fails unless it exits with 0. */
  async runServer(...words: readonly string[]): Promise<Outcome> {
    const outcome = await this.tryServer(...words);
    assert.equal(outcome.code, 0, `${words.join(' ')}: ${outcome.stdout}${outcome.stderr}`);
    return outcome;
  }

  /** Of flags that are given twice, such as the parent, the last one counts. */
  async createEntry(path: string, selectors: readonly string[], ...flags: readonly string[]) {
    const { stdout } = await this.runServer(
      'entry',
      'create',
      '-parentID',
      this.agentId,
      '-spiffeID',
      this.id(path),
      ...selectors.flatMap((selector) => ['-selector', selector]),
      ...flags,
    );
    return /^Entry ID\s*: (\S+)$/m.exec(stdout)?.[1] ?? assert.fail(`no entry ID in: ${stdout}`);
  }

  /** The paths of the IDs of all agents that the server knows, banned ones included. */
  async agentPaths(): Promise<string[]> {
    const { stdout } = await this.runServer('agent', 'list', '-output', 'json');
    const { agents } = JSON.parse(stdout) as { agents: { id: { path: string } }[] };
    return agents.map(({ id }) => id.path);
  }

  /** A socket behind which the agent takes whoever connects for a process of that user. Needs root. */
  async socketFor(uid: number, agent = this.firstAgent): Promise<string> {
    const key = `${agent.name}-${uid}`;
    const relay = this.#relays.get(key) ?? Relay.start(this.folder, agent.socket, uid);
    this.#relays.set(key, relay);
    return (await relay).path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const relay of this.#relays.values()) await (await relay)[Symbol.asyncDispose]();
    for (const program of this.#programs.toReversed()) await program.stop('SIGKILL');
    await rm(this.folder, { recursive: true, force: true });
    await rm(this.adminFolder, { recursive: true, force: true });
  }
}

/** One agent of a trust domain, over its restarts. */
export class AgentProcess {
  readonly domain: TrustDomainProcesses;
  readonly name: string;
  /** The one that was started last. */
  program!: Program;

  constructor(domain: TrustDomainProcesses, name: string) {
    this.domain = domain;
    this.name = name;
  }

  get socket(): string {
    return this.domain.path(`${this.name}.sock`);
  }

  /** Where it listens if it was configured to. */
  get adminSocket(): string {
    return `${this.domain.adminFolder}/${this.name}.sock`;
  }

  get dataDirectory(): string {
    return this.domain.path(this.name);
  }

  get configFile(): string {
    return this.domain.path(`${this.name}.conf`);
  }

  async configure(options: AgentOptions): Promise<void> {
    await writeFile(this.configFile, agentConf(this, options));
  }

  /** Starts it without waiting for anything. */
  run(...flags: readonly string[]): Program {
    this.program = this.domain.run([spireAgent, 'run', '-config', this.configFile, ...flags]);
    return this.program;
  }

  async start(...flags: readonly string[]): Promise<void> {
    await listening(this.run(...flags), { path: this.socket });
  }
}

/** A server and an attested agent, ready to serve; both end with the test. */
export async function startTrustDomain(
  t: Pick<TestContext, 'after'>,
  options?: TrustDomainOptions,
): Promise<TrustDomainProcesses> {
  const domain = await startServerOnly(t, options);
  const token = await domain.prepareAgent();
  await domain.startAgent(...(options?.agentAttestor === undefined ? ['-joinToken', token] : []));
  return domain;
}

/** A server without agents; it ends with the test. */
export async function startServerOnly(
  t: Pick<TestContext, 'after'>,
  options?: TrustDomainOptions,
): Promise<TrustDomainProcesses> {
  const domain = await TrustDomainProcesses.create(options);
  t.after(() => domain[Symbol.asyncDispose]());
  await domain.startServer();
  return domain;
}

async function listening(
  program: Program,
  address: { path: string } | { host: string; port: number },
): Promise<void> {
  await eventually(
    async () => {
      if (!program.running) throw new Error(`it ended at the start:\n${program.output}`);
      return accepts(address);
    },
    () => `${JSON.stringify(address)}:\n${program.output}`,
  );
}

const serverConf = (
  { name, folder, port }: TrustDomainProcesses,
  {
    server = '',
    serverSections = '',
    serverAttestors = 'NodeAttestor "join_token" { plugin_data {} }',
    serverKeyManager = `KeyManager "disk" { plugin_data { keys_path = "${folder}/server/keys.json" } }`,
  }: TrustDomainOptions,
) => `
server {
  bind_address = "127.0.0.1"
  bind_port = "${port}"
  socket_path = "${folder}/server.sock"
  trust_domain = "${name}"
  data_dir = "${folder}/server"
  log_level = "DEBUG"
  ${server}
}
plugins {
  DataStore "sql" {
    plugin_data { database_type = "sqlite3" connection_string = "${folder}/server/datastore.sqlite3" }
  }
  ${serverKeyManager}
  ${serverAttestors}
}
${serverSections}
`;

const agentConf = (
  { domain: { name, folder, port }, dataDirectory, socket, adminSocket }: AgentProcess,
  {
    adminSocket: hasAdminSocket = false,
    agent = '',
    agentSections = '',
    agentAttestor = 'NodeAttestor "join_token" { plugin_data {} }',
    agentKeyManager = `KeyManager "disk" { plugin_data { directory = "${dataDirectory}" } }`,
    workloadAttestor = 'WorkloadAttestor "unix" { plugin_data {} }',
    syncInterval = '1s',
  }: AgentOptions,
) => `
agent {
  data_dir = "${dataDirectory}"
  server_address = "127.0.0.1"
  server_port = "${port}"
  socket_path = "${socket}"
  trust_bundle_path = "${folder}/bundle.pem"
  trust_domain = "${name}"
  log_level = "DEBUG"
  experimental { sync_interval = "${syncInterval}" }
  ${hasAdminSocket ? `admin_socket_path = "${adminSocket}"` : ''}
  ${agent}
}
plugins {
  ${agentAttestor}
  ${agentKeyManager}
  ${workloadAttestor}
}
${agentSections}
`;
