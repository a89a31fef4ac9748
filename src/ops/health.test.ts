import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { VirtualClock } from '../../test/kit/clock.ts';
import { type LogLine, recordingLog } from '../../test/kit/recording-log.ts';
import { type HealthCheck, type HealthChecks, startHealthChecks } from './health-checks.ts';
import { serveHealth } from './health-http.ts';
import { silentLog } from './log.ts';

const well: HealthCheck = { name: 'b.well', problemKey: 'err', test: async () => undefined };

function start(t: TestContext, checks: readonly HealthCheck[]) {
  const clock = new VirtualClock();
  const lines: LogLine[] = [];
  const health = startHealthChecks({ checks, clock, log: recordingLog(lines) });
  t.after(() => health[Symbol.asyncDispose]());
  return { clock, lines, health };
}

/** Fails while it is told to. */
function failing(name = 'a.ill') {
  const check = {
    name,
    problemKey: 'sign_err',
    reason: 'no key',
    runs: 0,
    async test() {
      check.runs++;
      if (check.reason !== '') throw new Error(check.reason);
    },
  };
  return check;
}

test('before its first run a check counts as neither live nor ready', (t) => {
  const { health } = start(t, [well]);
  const report = { ok: false, details: { 'b.well': null } };
  assert.deepEqual([health.live(), health.ready()], [report, report]);
});

test('details are empty while all is well, and name the problem where it is not', async (t) => {
  const ill = failing();
  const { clock, health } = start(t, [well, ill]);
  await clock.advance({ seconds: 0 });
  assert.equal(health.live().ok, false);
  assert.equal(
    JSON.stringify(health.ready().details),
    '{"a.ill":{"sign_err":"no key"},"b.well":{}}',
  );
  ill.reason = '';
  await clock.advance({ seconds: 1 });
  assert.deepEqual(health.ready(), { ok: true, details: { 'a.ill': {}, 'b.well': {} } });
});

test('the checks run every second until all are well, then every minute', async (t) => {
  const ill = failing();
  const { clock } = start(t, [ill]);
  await clock.advance({ seconds: 3 });
  assert.equal(ill.runs, 4);
  ill.reason = '';
  await clock.advance({ seconds: 1 });
  assert.equal(ill.runs, 5);
  await clock.advance({ seconds: 59 });
  assert.equal(ill.runs, 5);
  await clock.advance({ seconds: 1 });
  assert.equal(ill.runs, 6);
});

test('each failure is told, the first in more words, and the recovery', async (t) => {
  const ill = failing();
  const { clock, lines } = start(t, [ill]);
  await clock.advance({ seconds: 1 });
  ill.reason = '';
  await clock.advance({ seconds: 1 });
  const common = { subsystem_name: 'health', check: 'a.ill' };
  const error = 'subsystem is not live or ready';
  const failed = { message: 'Health check has failed', fields: { ...common, error } };
  assert.deepEqual(lines, [
    failed,
    {
      message: 'Health check failed',
      fields: { ...common, details: '{"sign_err":"no key"}', error },
    },
    failed,
    {
      message: 'Health check recovered',
      fields: { ...common, details: '{}', error, failures: 2, duration: 2 },
    },
  ]);
});

test('a test that hangs has failed after a minute', async (t) => {
  const hanging = { ...well, test: () => new Promise<void>(() => undefined) };
  const { clock, health } = start(t, [hanging]);
  await clock.advance({ seconds: 60 });
  assert.deepEqual(health.live(), {
    ok: false,
    details: { 'b.well': { err: 'context deadline exceeded' } },
  });
});

test('what is still starting is live but not ready', async (t) => {
  const { clock, health, lines } = start(t, [{ ...failing(), isStarting: () => true }]);
  await clock.advance({ seconds: 0 });
  assert.deepEqual([health.live().ok, health.ready().ok], [true, false]);
  assert.equal(lines[0]?.message, 'Health check has failed. Starting up still.');
  assert.equal(lines[0].fields['error'], 'subsystem is not ready');
});

const settings = {
  bindAddress: '127.0.0.1',
  bindPort: '0',
  livePath: '/alive',
  readyPath: '/ready',
};
const checks: Pick<HealthChecks, 'live' | 'ready'> = {
  live: () => ({ ok: true, details: { server: {} } }),
  ready: () => ({ ok: false, details: { server: null } }),
};

for (const [path, method, status, type, body] of [
  ['/alive', 'GET', 200, 'application/json', '{"server":{}}\n'],
  ['/alive?verbose', 'DELETE', 200, 'application/json', '{"server":{}}\n'],
  ['/ready', 'GET', 500, 'application/json', '{"server":null}\n'],
  ['/other', 'GET', 404, 'text/plain; charset=utf-8', '404 page not found\n'],
] as const) {
  test(`${method} ${path} is answered with ${status}`, async (t) => {
    const endpoint = await serveHealth({ settings, checks, log: silentLog });
    t.after(() => endpoint[Symbol.asyncDispose]());
    const { port } = endpoint.address ?? assert.fail();
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { method });
    assert.equal(response.status, status);
    assert.equal(response.headers.get('content-type'), type);
    assert.equal(await response.text(), body);
  });
}

test('those who connect and say nothing crowd no probe out', async (t) => {
  const endpoint = await serveHealth({ settings, checks, log: silentLog });
  t.after(() => endpoint[Symbol.asyncDispose]());
  const { port } = endpoint.address ?? assert.fail();
  const silent = Array.from({ length: 120 }, () => connect(port, '127.0.0.1'));
  for (const socket of silent) socket.on('error', () => undefined);
  t.after(() => {
    for (const socket of silent) socket.destroy();
  });
  await Promise.all(silent.map((socket) => once(socket, 'connect')));
  const response = await fetch(`http://127.0.0.1:${port}${settings.livePath}`);
  assert.equal(response.status, 200);
});

test('a port in use is told, and no reason not to go on', async (t) => {
  const other = createServer().listen(0, '127.0.0.1');
  t.after(() => other.close());
  await new Promise((resolve) => other.once('listening', resolve));
  const bindPort = String((other.address() as AddressInfo).port);
  for (const unusable of [bindPort, 'nonsense', '', '70000']) {
    const lines: LogLine[] = [];
    const options = { settings: { ...settings, bindPort: unusable }, checks };
    await using endpoint = await serveHealth({ ...options, log: recordingLog(lines) });
    assert.equal(endpoint.address, undefined);
    assert.equal(lines[0]?.fields['subsystem_name'], 'health');
    if (unusable === bindPort) {
      const error = lines[0]?.fields['error'];
      assert.ok(error instanceof Error);
      assert.equal(error.message, `listen tcp 127.0.0.1:${bindPort}: bind: address already in use`);
    }
    assert.deepEqual(
      lines.map(({ message }) => message),
      ['Error serving health checks'],
    );
  }
});
