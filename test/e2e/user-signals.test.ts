import assert from 'node:assert/strict';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { NodeAuthority } from '../kit/node-certificates.ts';
import { accepts, eventually } from '../kit/programs.ts';
import { startTrustDomain, TrustDomainProcesses } from '../kit/trust-domain.ts';

/** Where Node's debugger would listen. */
const DEBUGGER = { host: '127.0.0.1', port: 9229 };

test('SIGUSR1 and SIGUSR2 stop nothing, and open no debugger', async (t) => {
  const domain = await startTrustDomain(t);
  const before = await accepts(DEBUGGER);
  for (const program of [domain.server, domain.agent]) {
    for (const signal of ['SIGUSR1', 'SIGUSR2', 'SIGUSR1', 'SIGUSR2'] as const) {
      program.child.kill(signal);
    }
  }
  await domain.runServer('healthcheck');
  await domain.createEntry('/workload', ['unix:uid:4242']);
  await domain.agent.says(/spiffe:\/\/example\.test\/workload/);
  assert.equal(await accepts(DEBUGGER), before);
  for (const program of [domain.server, domain.agent]) {
    assert.ok(program.running);
    assert.doesNotMatch(program.output, /[Dd]ebugger/);
    assert.deepEqual(await program.stop(), { code: 0, signal: null });
  }
});

test('SIGUSR1 has a plugin read its file again', async () => {
  await using domain = await TrustDomainProcesses.create();
  const dataFile = domain.path('x509pop.conf');
  const serverAttestors = `NodeAttestor "x509pop" { plugin_data_file = "${dataFile}" }`;
  await NodeAuthority.create(domain.folder);
  const goodBundle = `ca_bundle_path = "${domain.path('node-ca.pem')}"`;
  await writeFile(dataFile, goodBundle);
  await domain.configure({ serverAttestors });
  await domain.startServer();
  const { server } = domain;
  server.child.kill('SIGUSR1');
  await server.says(/msg="Reconfigure signal received" subsystem_name=reconfigurer/);
  await server.says(
    /msg="Plugin not reconfigured since the config is unchanged" .*hash=[0-9a-f]{32}/,
  );

  await writeFile(dataFile, `ca_bundle_path = "${domain.path('none.pem')}"`);
  server.child.kill('SIGUSR1');
  await server.says(
    /msg="Failed to reconfigure plugin" error="rpc error: code = InvalidArgument .*none\.pem/,
  );
  await writeFile(dataFile, `${goodBundle} # another text`);
  server.child.kill('SIGUSR1');
  await server.says(/msg="Plugin reconfigured" .*new_hash=[0-9a-f]{32} old_hash=[0-9a-f]{32}/);
  await domain.runServer('healthcheck');
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
  assert.match(server.output, /msg="Plugin unloaded" .*plugin_name=x509pop/);
});

test('SIGUSR2 opens the log files anew, as log rotation wants it', async (t) => {
  const domain = await startTrustDomain(t);
  await domain.agent.stop();
  await domain.server.stop();
  const logs = { server: domain.path('logs/server.log'), agent: domain.path('logs/agent.log') };
  await mkdir(domain.path('logs'));
  await domain.configure({ server: `log_file = "${logs.server}"` });
  await domain.firstAgent.configure({ agent: `log_file = "${logs.agent}"` });
  await domain.startServer();
  await domain.startAgent();

  for (const [name, program] of [
    ['server', domain.server],
    ['agent', domain.agent],
  ] as const) {
    const log = logs[name];
    assert.match(await readFile(log, 'utf8'), /msg="Starting Steeple"/);
    assert.equal(program.stdout, '');
    await rename(log, `${log}.1`);
    program.child.kill('SIGUSR2');
    await eventually(
      () =>
        readFile(log).then(
          () => true,
          () => false,
        ),
      `${log} anew`,
    );
  }
  await domain.createEntry('/workload', ['unix:uid:4242']);
  await eventually(
    async () => (await readFile(logs.agent, 'utf8')).includes('example.test/workload'),
    'lines in the new file',
  );
  assert.doesNotMatch(await readFile(`${logs.agent}.1`, 'utf8'), /example\.test\/workload/);

  // Where the new file cannot be made, the old one goes on, and says so.
  await rename(logs.agent, `${logs.agent}.2`);
  await rename(domain.path('logs'), domain.path('moved'));
  domain.agent.child.kill('SIGUSR2');
  await eventually(
    async () =>
      /msg="failed to rotate log after signal" error="unable to reopen .*agent\.log: /.test(
        await readFile(domain.path('moved/agent.log.2'), 'utf8'),
      ),
    'the failure in the old file',
  );
  assert.ok(domain.agent.running);
  await rm(domain.path('moved'), { recursive: true });
});
