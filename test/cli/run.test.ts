import assert from 'node:assert/strict';
import { readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  eventually,
  freePort,
  runProgram,
  spireAgent,
  spireServer,
  startProgram,
} from '../kit/programs.ts';
import { temporaryFolder } from '../kit/temp-dir.ts';

/** A server's file in a folder of its own; `more` are lines for its `server` block. */
async function serverFile(folder: string, more = '', plugins = ''): Promise<string> {
  const path = join(folder, 'server.conf');
  await writeFile(
    path,
    `server {
      trust_domain = "run.test"
      data_dir = "${folder}/data"
      bind_address = "127.0.0.1"
      bind_port = ${await freePort()}
      socket_path = "${folder}/sockets/api.sock"
      ${more}
    }
    plugins {
      DataStore "sql" { plugin_data { database_type = "sqlite3" connection_string = "${folder}/data.sqlite3" } }
      KeyManager "memory" {}
      ${plugins}
    }`,
  );
  return path;
}

test('the server runs until SIGTERM, and says so', async (t) => {
  await using folder = await temporaryFolder();
  const config = await serverFile(folder.path);
  const umask = 'umask 0; exec "$@"';
  const server = startProgram(t, ['sh', '-c', umask, 'sh', spireServer, 'run', '-config', config]);
  const socket = join(folder.path, 'sockets/api.sock');
  await eventually(async () => {
    const { code } = await runProgram([spireServer, 'healthcheck', '-socketPath', socket]);
    return code === 0;
  }, 'a healthy server');
  assert.match(
    server.stdout,
    /level=warning msg="Current umask 0000 is too permissive; setting umask 0027"/,
  );
  assert.equal((await stat(join(folder.path, 'data'))).mode & 0o777, 0o750);
  const exit = await server.stop('SIGTERM');
  assert.deepEqual(exit, { code: 0, signal: null });
  assert.match(server.stdout, /level=info msg="Server stopped gracefully"\n$/);
  assert.equal(server.stderr, '');
  await assert.rejects(stat(socket), { code: 'ENOENT' });
});

test('a second server on the same socket fails before it touches anything', async (t) => {
  await using folder = await temporaryFolder();
  const config = await serverFile(folder.path);
  const socket = join(folder.path, 'sockets/api.sock');
  const first = startProgram(t, [spireServer, 'run', '-config', config]);
  const healthy = async () => {
    const { code } = await runProgram([spireServer, 'healthcheck', '-socketPath', socket]);
    return code === 0;
  };
  await eventually(healthy, 'a healthy server');
  const port = String(await freePort());
  for (const flags of [[], ['-serverPort', port]]) {
    const second = await runProgram([spireServer, 'run', '-config', config, ...flags]);
    assert.equal(second.code, 1);
    assert.equal(second.stderr, '');
    assert.match(
      second.stdout,
      /level=error msg="Fatal run error" error=[^\n]*\n[^\n]*level=error msg="Server crashed" error=[^\n]*\n$/,
    );
    assert.ok(await healthy());
  }
  await first.stop();
});

test('SIGUSR2 opens the log file anew', async (t) => {
  await using folder = await temporaryFolder();
  const log = join(folder.path, 'server.log');
  const config = await serverFile(folder.path, `log_file = "${log}"`);
  const server = startProgram(t, [spireServer, 'run', '-config', config]);
  const text = (path: string) => readFile(path, 'utf8').catch(() => '');
  const socket = join(folder.path, 'sockets/api.sock');
  await eventually(async () => {
    const { code } = await runProgram([spireServer, 'healthcheck', '-socketPath', socket]);
    return code === 0;
  }, 'a healthy server');
  assert.equal((await stat(log)).mode & 0o777, 0o640);
  await rename(log, `${log}.1`);
  server.child.kill('SIGUSR2');
  server.child.kill('SIGUSR1');
  await eventually(async () => (await stat(log).catch(() => undefined)) !== undefined, 'a new log');
  await server.stop();
  assert.match(await text(`${log}.1`), /msg="Starting Steeple"/);
  assert.match(await text(log), /msg="Server stopped gracefully"\n$/);
  assert.equal(server.output, '');
});

const outside = { code: 1, stdout: '' };
const refusals: readonly [program: string, args: string[], stderr: RegExp][] = [
  [
    spireServer,
    ['-bogus'],
    /^flag provided but not defined: -bogus\nUsage of run:\n[^]*\nflag provided but not defined: -bogus\n$/,
  ],
  [
    spireServer,
    [],
    /^could not find config file \/[^]*\/conf\/server\/server.conf: please use the -config flag\n$/,
  ],
  [
    spireAgent,
    [],
    /^could not find config file \/[^]*\/conf\/agent\/agent.conf: please use the -config flag\n$/,
  ],
  [
    spireServer,
    ['-config', 'server.conf', '-logLevel', 'loud'],
    /^could not start logger: not a valid logrus Level: "loud"\n$/,
  ],
  [
    spireServer,
    ['-config', 'server.conf', '-logFile', 'no/such/log'],
    /^open \/[^]*\/no\/such\/log: no such file or directory\n$/,
  ],
];
for (const [program, args, stderr] of refusals) {
  test(`${program.split('/').at(-1)} run ${args.join(' ')} is refused`, async () => {
    await using folder = await temporaryFolder();
    await serverFile(folder.path);
    const outcome = await runProgram([program, 'run', ...args], { cwd: folder.path });
    assert.match(outcome.stderr, stderr);
    assert.deepEqual({ code: outcome.code, stdout: outcome.stdout }, outside);
  });
}

test('what this version cannot do is refused by run, and remarked on by validate', async () => {
  await using folder = await temporaryFolder();
  const config = await serverFile(folder.path, '', 'NodeAttestor "k8s_psat" { plugin_data {} }');
  const { code, stderr } = await runProgram([spireServer, 'run', '-config', config]);
  assert.equal(code, 1);
  assert.equal(stderr, 'NodeAttestor "k8s_psat" is not supported yet\n');
  assert.deepEqual(await runProgram([spireServer, 'validate', '-config', config]), {
    code: 0,
    stdout: 'SPIRE server configuration file is valid.\n',
    stderr: 'This version cannot run with it: NodeAttestor "k8s_psat" is not supported yet\n',
  });
});

test('validate tells all that is wrong, SPIRE’s complaint first', async () => {
  await using folder = await temporaryFolder();
  const config = await serverFile(folder.path, 'ca_ttl = "1 day"\n default_jwt_svid_ttl = "x"');
  const { code, stdout, stderr } = await runProgram([spireServer, 'validate', '-config', config]);
  assert.deepEqual({ code, stdout }, outside);
  const [first, ...others] = stderr.split('\n');
  assert.match(first ?? '', /^SPIRE server configuration file is invalid: could not parse default/);
  assert.match(others.join('\n'), /server\.conf:\d+:\d+/);
  assert.match(stderr, /default JWT SVID ttl "x"/);
  assert.match(stderr, /default CA ttl "1 day"/);
});

test('validate wraps a wrong flag, and logs nothing of the server', async () => {
  for (const [program, who] of [
    [spireServer, 'server'],
    [spireAgent, 'agent'],
  ] as const) {
    const { code, stdout, stderr } = await runProgram([program, 'validate', '-serverPort', 'x']);
    assert.deepEqual({ code, stdout }, outside);
    assert.match(
      stderr,
      new RegExp(
        `^invalid value "x" for flag -serverPort: parse error\nUsage of validate:\n[^]*\nSPIRE ${who} configuration file is invalid: invalid value "x" for flag -serverPort: parse error\n$`,
      ),
    );
  }
});

test('validate lists what plugins complain of', async () => {
  await using folder = await temporaryFolder();
  const config = await serverFile(
    folder.path,
    '',
    'NodeAttestor "x509pop" { plugin_data { mode = "x" } }',
  );
  const { code, stdout, stderr } = await runProgram([spireServer, 'validate', '-config', config]);
  assert.deepEqual({ code, stdout }, outside);
  assert.match(
    stderr,
    /^SPIRE server configuration file is invalid\.\nValidation errors:\n\tNodeAttestor "x509pop":\n\t\t[^\n]+\n/,
  );
});
