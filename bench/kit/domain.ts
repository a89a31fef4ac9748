import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  accepts,
  binaries,
  eventually,
  freePort,
  Program,
  runProgram,
  spireServer,
} from '../../test/kit/programs.ts';

export const TRUST_DOMAIN = 'bench.test';
/** Parent of the entries that the real agent serves. */
export const NODE_ID = `spiffe://${TRUST_DOMAIN}/node`;

/** Server and agent as programs, without rate limits, in a folder of their own. */
export class BenchDomain implements AsyncDisposable {
  readonly folder: string;
  readonly port: number;
  readonly programs: Program[] = [];

  private constructor(folder: string, port: number) {
    this.folder = folder;
    this.port = port;
  }

  static async create(): Promise<BenchDomain> {
    return new BenchDomain(await mkdtemp(join(tmpdir(), 'bench-')), await freePort());
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** Resolves with the program and how many milliseconds it took until it served. */
  async startServer(preload: readonly string[] = []): Promise<Started> {
    await writeFile(this.path('server.conf'), this.#serverConf());
    const flags = ['run', '-config', this.path('server.conf')];
    return this.#start('spire-server', flags, this.path('server.sock'), preload);
  }

  /** With more lines for the `agent` block of its configuration. */
  async startAgent(more = ''): Promise<Started> {
    const { stdout } = await runProgram([
      spireServer,
      'token',
      'generate',
      '-spiffeID',
      NODE_ID,
      '-socketPath',
      this.path('server.sock'),
    ]);
    const token = /^Token: (\S+)$/m.exec(stdout)?.[1] ?? '';
    await writeFile(this.path('agent.conf'), this.#agentConf(more));
    const flags = ['run', '-config', this.path('agent.conf'), '-joinToken', token];
    return this.#start('spire-agent', flags, this.path('agent.sock'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const program of this.programs.reverse()) await program.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  async #start(
    name: string,
    flags: readonly string[],
    socket: string,
    preload: readonly string[] = [],
  ): Promise<Started> {
    const began = performance.now();
    const env = preload.length === 0 ? {} : { NODE_OPTIONS: preload.join(' ') };
    const program = new Program([join(binaries, name), ...flags], { env });
    this.programs.push(program);
    await eventually(() => {
      if (!program.running) throw new Error(`${name} ended:\n${program.output}`);
      return accepts({ path: socket });
    }, `${name}\n${program.output}`);
    return { program, milliseconds: performance.now() - began };
  }

  #serverConf(): string {
    return `
server {
  bind_address = "127.0.0.1"
  bind_port = "${this.port}"
  socket_path = "${this.path('server.sock')}"
  trust_domain = "${TRUST_DOMAIN}"
  data_dir = "${this.folder}"
  log_level = "WARN"
  ratelimit { attestation = false signing = false }
}
plugins {
  DataStore "sql" {
    plugin_data { database_type = "sqlite3" connection_string = "${this.path('datastore.sqlite3')}" }
  }
  KeyManager "memory" { plugin_data {} }
  NodeAttestor "join_token" { plugin_data {} }
}
`;
  }

  #agentConf(more: string): string {
    return `
agent {
  data_dir = "${this.path('agent')}"
  server_address = "127.0.0.1"
  server_port = "${this.port}"
  socket_path = "${this.path('agent.sock')}"
  ${more}
  insecure_bootstrap = true
  trust_domain = "${TRUST_DOMAIN}"
  log_level = "WARN"
}
plugins {
  NodeAttestor "join_token" { plugin_data {} }
  KeyManager "memory" { plugin_data {} }
  WorkloadAttestor "unix" { plugin_data {} }
}
`;
  }
}

export type Started = { readonly program: Program; readonly milliseconds: number };

/** CPU time that the process has used, all its threads together. */
export async function cpuMilliseconds({ child }: Program): Promise<number> {
  const stat = await readFile(`/proc/${child.pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // utime and stime, in ticks of 10 ms on every Linux we know.
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** Resident memory in MB. */
export async function residentMegabytes({ child }: Program): Promise<number> {
  const status = await readFile(`/proc/${child.pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024;
}
