import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { configFiles } from '../../src/ops/config-env.ts';
import { type Log, silentLog } from '../../src/ops/log.ts';
import { type Channel, type ClientTls, dial } from '../../src/rpc/dial.ts';
import type { ServerConfig } from '../../src/server/config/server-config.ts';
import { loadServerConfig } from '../../src/server/config.ts';
import { type RunningServer, startServer } from '../../src/server/start.ts';
import { fixedLevels, noSignal } from './program-env.ts';

export type TestServerOptions = {
  readonly trustDomain?: string;
  /** Lines for the `server` section of the configuration. */
  readonly server?: string;
  /** Lines for the `plugins` section; join tokens are always there. */
  readonly plugins?: string;
  /** Whole sections beside these. */
  readonly more?: string;
  readonly clock?: Clock;
  readonly log?: Log;
};

/** A real server in this process, in a folder of its own that outlives its restarts. */
export class TestServer {
  readonly folder: string;
  readonly options: TestServerOptions;
  #running: RunningServer | undefined;

  private constructor(folder: string, options: TestServerOptions) {
    this.folder = folder;
    this.options = options;
  }

  /** Nothing runs yet. Stopped, and its folder removed, after the test. */
  static async create(t: TestContext, options: TestServerOptions = {}): Promise<TestServer> {
    const folder = await mkdtemp(join(tmpdir(), 'steeple-'));
    const server = new TestServer(folder, options);
    t.after(async () => {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    });
    return server;
  }

  static async start(t: TestContext, options: TestServerOptions = {}): Promise<TestServer> {
    const server = await TestServer.create(t, options);
    await server.start();
    return server;
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  get socketPath(): string {
    return this.path('private/api.sock');
  }

  get port(): number {
    return this.running.tcpAddress.port;
  }

  get running(): RunningServer {
    if (this.#running === undefined) throw new Error('the server does not run');
    return this.#running;
  }

  async config(): Promise<ServerConfig> {
    const file = this.path('server.conf');
    await writeFile(file, configText(this));
    const config = await loadServerConfig(
      { config: file },
      { cwd: this.folder, environment: {}, ...configFiles, openLog: async () => silentLog },
    );
    // In a configuration 0 means the default port.
    return { ...config, bindPort: 0 };
  }

  async start(changed: Partial<ServerConfig> = {}, signal = new AbortController().signal) {
    const { clock = systemClock, log = silentLog } = this.options;
    const config = { ...(await this.config()), ...changed };
    this.#running = await startServer(config, {
      log,
      logLevels: fixedLevels(),
      environment: {},
      onSigusr1: noSignal,
      clock,
      random: Math.random,
      signal,
    });
    return this.#running;
  }

  async stop(): Promise<void> {
    await this.#running?.[Symbol.asyncDispose]();
    this.#running = undefined;
  }

  /** As a caller of this machine. */
  dialLocal(): Channel {
    return dial({ address: `unix:${this.socketPath}` });
  }

  /** As a caller from the network. */
  dialTcp(tls: Partial<ClientTls> = {}): Channel {
    const trusting = { verify: async () => undefined, ...tls };
    return dial({ address: `127.0.0.1:${this.port}`, tls: trusting });
  }
}

const configText = ({ options, socketPath, folder }: TestServer): string => `
server {
  trust_domain = "${options.trustDomain ?? 'example.org'}"
  bind_address = "127.0.0.1"
  socket_path = "${socketPath}"
  data_dir = "${join(folder, 'data')}"
  ${options.server ?? ''}
}
plugins {
  DataStore "sql" {
    plugin_data {
      database_type = "sqlite3"
      connection_string = "${join(folder, 'data/datastore.sqlite3')}"
    }
  }
  KeyManager "disk" { plugin_data { keys_path = "${join(folder, 'data/keys.json')}" } }
  NodeAttestor "join_token" { plugin_data {} }
  ${options.plugins ?? ''}
}
${options.more ?? ''}
`;
