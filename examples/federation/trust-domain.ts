import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { DemoProgram, listens } from '../../tools/demo/program.ts';

const binaries = process.env['STEEPLE_BIN'] ?? join(import.meta.dirname, '../../bin');
/** Whoever starts the example is the workload. */
const SELECTOR = `unix:uid:${process.getuid?.() ?? 0}`;

/** One company: a server, an agent, and what runs there. */
export class TrustDomain {
  readonly name: string;
  readonly folder: string;
  /** Of its bundle endpoint. */
  readonly endpointPort: number;
  readonly #serverPort: number;
  readonly #programs: DemoProgram[] = [];

  private constructor(name: string, folder: string, ports: readonly [number, number]) {
    this.name = name;
    this.folder = folder;
    [this.#serverPort, this.endpointPort] = ports;
  }

  static async create(name: string, parent: string): Promise<TrustDomain> {
    const folder = join(parent, name);
    await mkdir(folder);
    return new TrustDomain(name, folder, [await freePort(), await freePort()]);
  }

  id(path: string): string {
    return `spiffe://${this.name}${path}`;
  }

  /** `federation` is the section of its configuration; `authority` a file with the web's own authorities. */
  async startServer(federation: string, authority?: string): Promise<void> {
    await writeFile(this.#at('server.conf'), this.#serverConf(federation));
    const env = { ...process.env, ...(authority !== undefined && { SSL_CERT_FILE: authority }) };
    await this.#start('spire-server', 'server', env);
  }

  async startAgent(): Promise<void> {
    await writeFile(this.#at('bundle.pem'), await this.server('bundle', 'show'));
    await writeFile(this.#at('agent.conf'), this.#agentConf());
    const token = await this.server('token', 'generate', '-spiffeID', this.id('/node'));
    await this.#start(
      'spire-agent',
      'agent',
      process.env,
      '-joinToken',
      token.replace('Token: ', ''),
    );
  }

  /** A command of this server's. */
  server(...words: readonly string[]): Promise<string> {
    const socket = ['-socketPath', this.#at('server.sock')];
    return new DemoProgram([join(binaries, 'spire-server'), ...words, ...socket]).result();
  }

  /** Gives this server the bundle of another, as somebody would carry it between two companies. */
  async meet(other: TrustDomain): Promise<void> {
    const file = this.#at(`${other.name}.json`);
    await writeFile(file, await other.server('bundle', 'show', '-format', 'spiffe'));
    await this.server('bundle', 'set', '-id', other.id(''), '-format', 'spiffe', '-path', file);
  }

  /** Who runs as this user is that workload, and may talk to members of the other trust domain. */
  async createEntry(path: string, federatesWith: TrustDomain): Promise<void> {
    const ids = ['-parentID', this.id('/node'), '-spiffeID', this.id(path)];
    const rest = ['-selector', SELECTOR, '-federatesWith', federatesWith.id('')];
    await this.server('entry', 'create', ...ids, ...rest);
  }

  /** Starts a workload, which says what it does in its first line. */
  async startWorkload(file: string, variables: NodeJS.ProcessEnv): Promise<string> {
    const program = this.#run([process.execPath, join(import.meta.dirname, file)], {
      ...process.env,
      SPIFFE_ENDPOINT_SOCKET: `unix://${this.#at('agent.sock')}`,
      ...variables,
    });
    await program.until(() => program.output.includes('\n'));
    return `${program.output.trim()} (process ${program.child.pid})`;
  }

  async stop(): Promise<void> {
    for (const program of this.#programs.toReversed()) await program.stop();
  }

  #at(name: string): string {
    return join(this.folder, name);
  }

  #run(command: readonly string[], env: NodeJS.ProcessEnv): DemoProgram {
    const program = new DemoProgram(command, { env, detached: true });
    this.#programs.push(program);
    return program;
  }

  async #start(name: string, what: 'server' | 'agent', env: NodeJS.ProcessEnv, ...flags: string[]) {
    const command = [join(binaries, name), 'run', '-config', this.#at(`${what}.conf`), ...flags];
    const program = this.#run(command, env);
    await program.until(() => listens(this.#at(`${what}.sock`)));
  }

  #serverConf(federation: string): string {
    return `
server {
  trust_domain = "${this.name}"
  bind_address = "127.0.0.1"
  bind_port = "${this.#serverPort}"
  socket_path = "${this.#at('server.sock')}"
  data_dir = "${this.#at('server')}"
  log_file = "${this.#at('server.log')}"
  ${federation}
}
plugins {
  DataStore "sql" {
    plugin_data { database_type = "sqlite3" connection_string = "${this.#at('server')}/datastore.sqlite3" }
  }
  KeyManager "disk" { plugin_data { keys_path = "${this.#at('server')}/keys.json" } }
  NodeAttestor "join_token" { plugin_data {} }
}
`;
  }

  #agentConf(): string {
    return `
agent {
  trust_domain = "${this.name}"
  server_address = "127.0.0.1"
  server_port = "${this.#serverPort}"
  socket_path = "${this.#at('agent.sock')}"
  trust_bundle_path = "${this.#at('bundle.pem')}"
  data_dir = "${this.#at('agent')}"
  log_file = "${this.#at('agent.log')}"
}
plugins {
  NodeAttestor "join_token" { plugin_data {} }
  KeyManager "memory" { plugin_data {} }
  WorkloadAttestor "unix" { plugin_data {} }
}
`;
  }
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const probe = createServer().once('error', reject);
  probe.listen(0, '127.0.0.1', () => {
    const address = probe.address();
    probe.close(() => {
      if (typeof address === 'object' && address !== null) resolve(address.port);
    });
  });
  return promise;
}
