import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { attestByNumber } from './attest-by-number.ts';

const { signal } = new AbortController();
const found = new Set(['unix:uid:1']);
const child = () => spawn('/bin/sleep', ['60'], { stdio: 'ignore' });

test('a process that stays is attested', async () => {
  const process = child();
  assert.equal(await attestByNumber(async () => found)(process.pid ?? 0, signal), found);
  process.kill('SIGKILL');
  await once(process, 'exit');
});

test('one that dies in the middle of it is not', async () => {
  const process = child();
  const attest = attestByNumber(async () => {
    process.kill('SIGKILL');
    await once(process, 'exit');
    return found;
  });
  await assert.rejects(attest(process.pid ?? 0, signal), {
    message: `process ${process.pid} ended while it was attested`,
  });
});

test('nor one whose number goes to another in the middle of it', async () => {
  let asked = 0;
  const attest = attestByNumber(
    async () => found,
    async () => String(asked++),
  );
  await assert.rejects(attest(7, signal), { message: 'process 7 ended while it was attested' });
});

for (const pid of [0, -1, 2_147_483_647]) {
  test(`there is no process ${pid}, and no attestor is asked`, async () => {
    const attest = attestByNumber(() => assert.fail('asked'));
    await assert.rejects(attest(pid, signal), { message: `there is no process ${pid}` });
  });
}
