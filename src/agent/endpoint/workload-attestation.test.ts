import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type LogLine, recordingLog } from '../../../test/kit/recording-log.ts';
import { silentLog } from '../../ops/log.ts';
import { noMetrics } from '../../ops/metrics.ts';
import type { WorkloadAttestor } from '../../plugins/workload-attestor/contract.ts';
import { createWorkloadAttestation } from './workload-attestation.ts';

const attestor = (name: string, attest: WorkloadAttestor['attest']): WorkloadAttestor => ({
  name,
  attest,
  [Symbol.asyncDispose]: async () => {},
});
const finds = (name: string, ...values: string[]) => attestor(name, async () => values);
const fails = (name: string) =>
  attestor(name, async () => {
    throw new Error('cannot look');
  });
const never = new AbortController().signal;

const cases: readonly [why: string, attestors: WorkloadAttestor[], selectors: string[]][] = [
  ['one', [finds('unix', 'uid:1', 'gid:2')], ['unix:uid:1', 'unix:gid:2']],
  [
    'several',
    [finds('unix', 'uid:1'), finds('docker', 'label:a:b')],
    ['unix:uid:1', 'docker:label:a:b'],
  ],
  ['the same twice', [finds('unix', 'uid:1', 'uid:1')], ['unix:uid:1']],
  ['one fails', [fails('docker'), finds('unix', 'uid:1')], ['unix:uid:1']],
  ['none finds anything', [finds('unix')], []],
  ['one fails, one finds nothing', [fails('docker'), finds('unix')], []],
];
for (const [why, attestors, selectors] of cases) {
  test(`${why}: ${selectors.join(' ') || 'no selectors'}`, async () => {
    const attest = createWorkloadAttestation({
      attestors,
      ownPid: 1,
      metrics: noMetrics,
      log: silentLog,
    });
    assert.deepEqual([...(await attest(42, never))], selectors);
  });
}

test('if all fail, so does the attestation, and each is told', async () => {
  const lines: LogLine[] = [];
  const attestors = [fails('unix'), fails('docker')];
  const attest = createWorkloadAttestation({
    attestors,
    ownPid: 1,
    metrics: noMetrics,
    log: recordingLog(lines),
  });
  await assert.rejects(attest(42, never), {
    message:
      'workload attestor "unix" failed: cannot look\nworkload attestor "docker" failed: cannot look',
  });
  assert.deepEqual(
    lines.map(({ message, fields }) => [message, fields['pid']]),
    [
      ['workload attestor "unix" failed', 42],
      ['workload attestor "docker" failed', 42],
      ['Failed to collect all selectors', 42],
    ],
  );
});

test('attestors are asked at once', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const waits = attestor('a', async () => {
    await promise;
    return ['1'];
  });
  const wakes = attestor('b', async () => {
    resolve();
    return ['2'];
  });
  const attest = createWorkloadAttestation({
    attestors: [waits, wakes],
    metrics: noMetrics,
    ownPid: 1,
    log: silentLog,
  });
  assert.equal((await attest(42, never)).size, 2);
});

test('a caller who leaves ends it with the reason of leaving', async () => {
  const gone = new AbortController();
  const slow = attestor('unix', async (_, signal) => {
    gone.abort(new Error('gone'));
    signal.throwIfAborted();
    return [];
  });
  const attest = createWorkloadAttestation({
    attestors: [slow],
    ownPid: 1,
    metrics: noMetrics,
    log: silentLog,
  });
  await assert.rejects(attest(42, gone.signal), { message: 'gone' });
});
