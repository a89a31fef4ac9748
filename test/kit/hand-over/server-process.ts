import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writePem } from '../../../src/crypto/pem.ts';
import { type Channel, dial } from '../../../src/rpc/dial.ts';
import { accepts, eventually, freePort, Program } from '../programs.ts';
import type { Identity } from '../server-callers.ts';
import { fromBase64 } from './inputs.ts';

/** A server, ours or SPIRE's, with the recorded history's settings in a folder of its own. */
export class HandOverServer implements AsyncDisposable {
  readonly folder: string;
  readonly program: Program;
  readonly #port: number;

  private constructor(folder: string, program: Program, port: number) {
    this.folder = folder;
    this.program = program;
    this.#port = port;
  }

  /** Starts it on what there is in `<folder>/data`. The same clock's zone for all, so that times can be compared. */
  static async start(
    command: string,
    folder: string,
    inputs: { readonly nodeCa: string; readonly trustDomain: string },
  ): Promise<HandOverServer> {
    const port = await freePort();
    const nodeCa = join(folder, 'nodes.pem');
    await writeFile(nodeCa, writePem('CERTIFICATE', fromBase64(inputs.nodeCa)));
    const conf = join(folder, 'server.conf');
    await writeFile(conf, configuration(folder, { ...inputs, port, nodeCa }));
    await chmod(folder, 0o700);
    const program = new Program([command, 'run', '-config', conf], { env: { TZ: 'UTC' } });
    const server = new HandOverServer(folder, program, port);
    await eventually(async () => {
      if (!program.running) throw new Error(`the server does not start:\n${program.output}`);
      return await accepts({ path: server.#socket });
    }, `the server:\n${program.output}`);
    await eventually(() => accepts({ host: '127.0.0.1', port }), 'its port');
    return server;
  }

  get database(): string {
    return join(this.folder, 'data/datastore.sqlite3');
  }

  get #socket(): string {
    return join(this.folder, 'api.sock');
  }

  local(): Channel {
    return dial({ address: `unix:${this.#socket}` });
  }

  network(identity?: Identity): Channel {
    const tls = { identity: () => identity, verify: () => undefined };
    return dial({ address: `127.0.0.1:${this.#port}`, tls });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.program.stop();
  }
}

const configuration = (
  folder: string,
  { trustDomain, port, nodeCa }: { trustDomain: string; port: number; nodeCa: string },
): string => `
server {
  trust_domain = "${trustDomain}"
  bind_address = "127.0.0.1"
  bind_port = "${port}"
  socket_path = "${join(folder, 'api.sock')}"
  data_dir = "${join(folder, 'data')}"
  ca_ttl = "262800h"
  agent_ttl = "131400h"
  default_x509_svid_ttl = "87600h"
  default_jwt_svid_ttl = "87600h"
  ca_key_type = "ec-p256"
  log_level = "DEBUG"
  ratelimit { attestation = false }
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
  NodeAttestor "x509pop" { plugin_data { ca_bundle_path = "${nodeCa}" } }
}
`;
