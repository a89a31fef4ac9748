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
  runProgram,
  spireAgent,
  spireServer,
} from './programs.ts';

export type TrustDomainOptions = {
  readonly name?: string;
  /** Lines for the `server` and `agent` blocks of the configuration files. */
  readonly server?: string;
  readonly agent?: string;
  /** Node attestor plugins; the default is `join_token` on both sides. */
  readonly serverAttestors?: string;
  readonly agentAttestor?: string;
};

/** A server and an agent as processes, in a folder of their own. */
export class TrustDomainProcesses implements AsyncDisposable {
  readonly name: string;
  readonly folder: string;
  readonly port: number;
  server!: Program;
  agent!: Program;

  private constructor(name: string, folder: string, port: number) {
    this.name = name;
    this.folder = folder;
    this.port = port;
  }

  static async create(options: TrustDomainOptions = {}): Promise<TrustDomainProcesses> {
    const folder = await mkdtemp(join(tmpdir(), 'td-'));
    // Workloads of other users must reach the sockets in it.
    await chmod(folder, 0o755);
    const domain = new TrustDomainProcesses(
      options.name ?? 'example.test',
      folder,
      await freePort(),
    );
    await writeFile(domain.path('server.conf'), serverConf(domain, options));
    await writeFile(domain.path('agent.conf'), agentConf(domain, options));
    return domain;
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  get serverSocket(): string {
    return this.path('server.sock');
  }

  get agentSocket(): string {
    return this.path('agent.sock');
  }

  get agentId(): string {
    return `spiffe://${this.name}/node`;
  }

  async startServer(): Promise<void> {
    this.server = new Program([spireServer, 'run', '-config', this.path('server.conf')]);
    await this.#listens(this.server, this.serverSocket);
    await eventually(() => accepts({ host: '127.0.0.1', port: this.port }), 'the server’s port');
  }

  /** Starts the agent; with a token, for its first attestation. */
  async startAgent(...flags: readonly string[]): Promise<void> {
    this.agent = new Program([spireAgent, 'run', '-config', this.path('agent.conf'), ...flags]);
    await this.#listens(this.agent, this.agentSocket);
  }

  /** Writes the bundle where the agent looks for it, and makes a join token for the agent's alias. */
  async prepareAgent(): Promise<string> {
    const bundle = await this.runServer('bundle', 'show');
    await writeFile(this.path('bundle.pem'), bundle.stdout);
    const { stdout } = await this.runServer('token', 'generate', '-spiffeID', this.agentId);
    const token = /^Token: (\S+)$/m.exec(stdout)?.[1];
    return token ?? assert.fail(`no token in: ${stdout}`);
  }

  /** A command of `spire-server` against this server; fails unless it exits with 0. */
  async runServer(...words: readonly string[]): Promise<Outcome> {
    const command = [spireServer, ...words, '-socketPath', this.serverSocket];
    const outcome = await runProgram(command);
    assert.equal(outcome.code, 0, `${words.join(' ')}: ${outcome.stdout}${outcome.stderr}`);
    return outcome;
  }

  async createEntry(path: string, selectors: readonly string[], ...flags: readonly string[]) {
    const { stdout } = await this.runServer(
      'entry',
      'create',
      '-parentID',
      this.agentId,
      '-spiffeID',
      `spiffe://${this.name}${path}`,
      ...selectors.flatMap((selector) => ['-selector', selector]),
      ...flags,
    );
    return /^Entry ID\s*: (\S+)$/m.exec(stdout)?.[1] ?? assert.fail(`no entry ID in: ${stdout}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.agent?.stop('SIGKILL');
    await this.server?.stop('SIGKILL');
    await rm(this.folder, { recursive: true, force: true });
  }

  async #listens(program: Program, path: string): Promise<void> {
    await eventually(async () => {
      if (!program.running) throw new Error(`it ended at the start:\n${program.output}`);
      return accepts({ path });
    }, `${path}:\n${program.output}`);
  }
}

/** A server and an attested agent, ready to serve; both end with the test. */
export async function startTrustDomain(
  t: TestContext,
  options?: TrustDomainOptions,
): Promise<TrustDomainProcesses> {
  const domain = await TrustDomainProcesses.create(options);
  t.after(() => domain[Symbol.asyncDispose]());
  await domain.startServer();
  const token = await domain.prepareAgent();
  await domain.startAgent(...(options?.agentAttestor === undefined ? ['-joinToken', token] : []));
  return domain;
}

const serverConf = (
  { name, folder, port }: TrustDomainProcesses,
  {
    server = '',
    serverAttestors = 'NodeAttestor "join_token" { plugin_data {} }',
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
  KeyManager "disk" { plugin_data { keys_path = "${folder}/server/keys.json" } }
  ${serverAttestors}
}
`;

const agentConf = (
  { name, folder, port }: TrustDomainProcesses,
  {
    agent = '',
    agentAttestor = 'NodeAttestor "join_token" { plugin_data {} }',
  }: TrustDomainOptions,
) => `
agent {
  data_dir = "${folder}/agent"
  server_address = "127.0.0.1"
  server_port = "${port}"
  socket_path = "${folder}/agent.sock"
  trust_bundle_path = "${folder}/bundle.pem"
  trust_domain = "${name}"
  log_level = "DEBUG"
  ${agent}
}
plugins {
  ${agentAttestor}
  KeyManager "disk" { plugin_data { directory = "${folder}/agent" } }
  WorkloadAttestor "unix" { plugin_data { discover_workload_path = true } }
}
`;
