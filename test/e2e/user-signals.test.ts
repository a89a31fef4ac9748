import assert from 'node:assert/strict';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { test } from 'node:test';
import { accepts, eventually } from '../kit/programs.ts';
import { startTrustDomain } from '../kit/trust-domain.ts';

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
