import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { diskState } from '../kit/disk-state.ts';
import { freePort, type Outcome, runProgram, spireAgent, spireServer } from '../kit/programs.ts';
import { temporaryFolder } from '../kit/temp-dir.ts';

/** A socket path that the kernel would cut off, in a folder that is not there yet. */
const LONG = `${'x'.repeat(60)}/${'y'.repeat(60)}.sock`;

type Files = { readonly folder: string; readonly port: number };
type Program = {
  readonly command: string;
  readonly conf: (files: Files, change?: { lines?: string; socket?: string }) => string;
};

const programs: Record<string, Program> = {
  'spire-server': {
    command: spireServer,
    conf: ({ folder, port }, { lines = '', socket = 'server.sock' } = {}) => `server {
  bind_address = "127.0.0.1"
  bind_port = "${port}"
  socket_path = "${folder}/${socket}"
  trust_domain = "example.test"
  data_dir = "${folder}/data"
  ${lines}
}
plugins {
  DataStore "sql" {
    plugin_data { database_type = "sqlite3" connection_string = "${folder}/data/datastore.sqlite3" }
  }
  KeyManager "memory" { plugin_data {} }
}
`,
  },
  'spire-agent': {
    command: spireAgent,
    conf: ({ folder, port }, { lines = '', socket = 'agent.sock' } = {}) => `agent {
  server_address = "127.0.0.1"
  server_port = "${port}"
  socket_path = "${folder}/${socket}"
  trust_domain = "example.test"
  data_dir = "${folder}/data"
  insecure_bootstrap = true
  join_token = "abc"
  ${lines}
}
plugins {
  NodeAttestor "join_token" { plugin_data {} }
  KeyManager "memory" { plugin_data {} }
  WorkloadAttestor "unix" { plugin_data {} }
}
`,
  },
};

for (const [name, { command, conf }] of Object.entries(programs)) {
  /** Runs with that configuration; it must end by itself, and leave the folder as it was. */
  async function runWith(
    word: 'run' | 'validate',
    text: (files: Files) => string,
    ...flags: readonly string[]
  ): Promise<Outcome> {
    await using folder = await temporaryFolder();
    const file = join(folder.path, 'x.conf');
    await writeFile(file, text({ folder: folder.path, port: await freePort() }));
    const before = await diskState(folder.path);
    const outcome = await runProgram([command, word, '-config', file, ...flags]);
    assert.deepEqual(await diskState(folder.path), before, 'something changed on disk');
    return outcome;
  }
  const run = (text: (files: Files) => string, ...flags: readonly string[]) =>
    runWith('run', text, ...flags);

  describe(`${name} run`, () => {
    test('a configuration that is no HCL is told with its place', async () => {
      const outcome = await run((files) => conf(files, { lines: 'log_level = = "INFO"' }));
      assert.equal(outcome.code, 1);
      assert.equal(outcome.stdout, '');
      assert.match(outcome.stderr, /^could not parse config file|^unable to (parse|decode) config/);
      assert.match(outcome.stderr, /(8|9|7):\d+/);
    });

    test('a key that there is not is named', async () => {
      const outcome = await run((files) => conf(files, { lines: 'log_levle = "INFO"' }));
      assert.equal(outcome.code, 1);
      assert.match(outcome.stderr + outcome.stdout, /log_levle/);
    });

    test('a file that there is not is named', async () => {
      const outcome = await runProgram([command, 'run', '-config', '/nowhere/x.conf']);
      assert.equal(outcome.code, 1);
      assert.equal(outcome.stdout, '');
      assert.match(outcome.stderr, /could not find config file \/nowhere\/x\.conf/);
    });

    test('a flag that there is not is named', async () => {
      const outcome = await run(conf, '-nosuch', 'value');
      assert.equal(outcome.code, 1);
      assert.equal(outcome.stdout, '');
      assert.match(outcome.stderr, /flag provided but not defined: -nosuch/);
    });

    test('a socket path that is too long is refused before anything is made', async () => {
      const outcome = await run((files) => conf(files, { socket: LONG }));
      assert.equal(outcome.code, 1);
      assert.match(
        outcome.stderr + outcome.stdout,
        /socket path is too long: \d+ bytes, 107 are possible/,
      );
    });

    test('validate tells all that is wrong at once, with places, and makes nothing', async () => {
      const wrong = (files: Files) =>
        conf(files, { lines: 'nosuch = 1' }).replace('"example.test"', '"UP CASE"');
      const outcome = await runWith('validate', wrong);
      assert.equal(outcome.code, 1);
      const text = outcome.stderr + outcome.stdout;
      assert.match(
        text,
        /configuration file is invalid: .*trust_domain "UP CASE".*\n  at .*x\.conf:\d+:\d+\n/,
      );
      assert.match(text, /x\.conf:\d+:\d+: unknown key "nosuch" in section (server|agent)/);
    });
  });
}
