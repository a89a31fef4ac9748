import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { eventually } from '../../../test/kit/programs.ts';
import { type LogLine, recordingLog } from '../../../test/kit/recording-log.ts';
import { temporaryFolder } from '../../../test/kit/temp-dir.ts';
import { systemClock } from '../../base/clock.ts';
import { openProfiler } from './profiler.ts';
import { serveProfiles } from './serve-profiles.ts';
import { type ProfilingSettings, startProfiling } from './start-profiling.ts';

/** Keeps the processor and the memory busy under a name that can be found again. */
function burnTimeAndMemory(milliseconds: number): unknown[] {
  const held: unknown[] = [];
  const end = performance.now() + milliseconds;
  while (performance.now() < end) if (held.length < 200_000) held.push([held.length, 'x']);
  return held;
}

async function start(t: TestContext, more: Partial<ProfilingSettings> = {}) {
  const folder = await temporaryFolder();
  const lines: LogLine[] = [];
  const settings = {
    port: 0,
    intervalSeconds: 0,
    names: [],
    folder: join(folder.path, '.profiles'),
    ...more,
  };
  const profiling = await startProfiling({
    settings,
    program: 'server',
    clock: systemClock,
    log: recordingLog(lines),
  });
  t.after(async () => {
    await profiling[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });
  return { lines, folder: settings.folder, profiling };
}

async function served(t: TestContext) {
  const profiler = await openProfiler(systemClock);
  const endpoint = await serveProfiles(profiler, 0);
  t.after(async () => {
    await endpoint[Symbol.asyncDispose]();
    profiler[Symbol.dispose]();
  });
  return (path: string, method = 'GET') =>
    fetch(`http://127.0.0.1:${endpoint.address.port}${path}`, { method });
}

const textOf = async (response: Response): Promise<string> =>
  gunzipSync(await response.arrayBuffer()).toString('latin1');

test('where time goes is told by function', async (t) => {
  const get = await served(t);
  const answered = get('/debug/pprof/profile?seconds=0.5');
  await eventually(
    async () => (await get('/debug/pprof/profile?seconds=0.001')).status === 500,
    'the start of the measurement',
  );
  burnTimeAndMemory(200);
  const response = await answered;
  assert.equal(response.headers.get('content-type'), 'application/octet-stream');
  assert.match(await textOf(response), /burnTimeAndMemory/);
});

test('what memory is held is told by function', async (t) => {
  const get = await served(t);
  const held = burnTimeAndMemory(100);
  assert.match(await textOf(await get('/debug/pprof/heap')), /burnTimeAndMemory/);
  assert.ok(held.length > 0);
});

const answers: readonly [path: string, method: string, status: number, text: RegExp][] = [
  ['/debug/pprof/', 'GET', 200, /^\/debug\/pprof\/profile\?seconds=30 /],
  ['/debug/pprof/goroutine', 'GET', 404, /^there is no such profile of this program/],
  ['/debug/pprof/cmdline', 'GET', 404, /^there is no such profile/],
  ['/', 'GET', 404, /^there is no such profile/],
  ['//', 'GET', 404, /^there is no such profile/],
  ['//[', 'GET', 404, /^there is no such profile/],
  ['/debug/pprof/heap', 'POST', 405, /^only GET/],
  ['/debug/pprof/profile?seconds=0', 'GET', 400, /^seconds must be /],
  ['/debug/pprof/profile?seconds=301', 'GET', 400, /^seconds must be /],
  ['/debug/pprof/profile?seconds=x', 'GET', 400, /^seconds must be /],
];
for (const [path, method, status, text] of answers) {
  test(`${method} ${path} is answered with ${status}`, async (t) => {
    const response = await (await served(t))(path, method);
    assert.equal(response.status, status);
    assert.match(await response.text(), text);
  });
}

test('one measurement at a time, and who goes away ends it', async (t) => {
  const get = await served(t);
  const leaving = new AbortController();
  const url = (await get('/debug/pprof/')).url;
  const first = fetch(`${url}profile?seconds=60`, { signal: leaving.signal });
  first.catch(() => undefined);
  const status = async () => (await get('/debug/pprof/profile?seconds=0.001')).status;
  await eventually(async () => (await status()) === 500, 'the first measurement');
  leaving.abort();
  await eventually(async () => (await status()) === 200, 'its end');
});

test('profiles are written again and again, under names that say when', async (t) => {
  const { folder } = await start(t, { intervalSeconds: 0.05, names: ['cpu', 'heap'] });
  const files = () => readdir(folder).catch(() => []);
  await eventually(
    async () => new Set((await files()).map((name) => name.slice(-10))).size === 2,
    'both',
  );
  for (const name of await files()) {
    assert.match(name, /^\d{4}-\d\d-\d\d_\d{6}_server_(?:cpu|heap)\.pb\.gz$/);
    assert.ok(gunzipSync(await readFile(join(folder, name))).length > 0);
  }
});

test('what this program does not have is told, and nothing is written of it', async (t) => {
  const { lines, folder, profiling } = await start(t, {
    intervalSeconds: 0.01,
    names: ['goroutine', 'mutex', 'cup'],
  });
  assert.deepEqual(lines, [
    {
      message: 'Profiles that this program does not have are not written',
      fields: { names: 'goroutine,mutex,cup' },
    },
  ]);
  await profiling[Symbol.asyncDispose]();
  await assert.rejects(readdir(folder), { code: 'ENOENT' });
});

test('a port in use, or a folder that cannot be made, is told and no reason not to go on', async (t) => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  t.after(() => other.close());
  const address = other.address();
  assert.ok(typeof address === 'object' && address !== null);
  const folder = await temporaryFolder();
  t.after(() => folder[Symbol.asyncDispose]());
  await writeFile(join(folder.path, 'file'), '');
  const { lines } = await start(t, {
    port: address.port,
    intervalSeconds: 0.01,
    names: ['heap'],
    folder: join(folder.path, 'file/.profiles'),
  });
  assert.match(lines[0]?.message ?? '', /^Profiles cannot be served$/);
  await eventually(
    () => lines.some(({ message }) => message === 'Profile was not written'),
    'the second failure',
  );
});

test('nothing is measured where nothing is asked for', async (t) => {
  const { lines } = await start(t, { names: ['cpu'] });
  assert.deepEqual(lines, []);
});
