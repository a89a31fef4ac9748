import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fault } from '../../base/fault.ts';
import { silentLog } from '../../ops/log.ts';
import { workloadCall, workloadCalls } from './call.ts';

test('a user with hundreds of attestations under way does not keep others from theirs', async () => {
  const ended = Promise.withResolvers<void>();
  const begun: number[] = [];
  const intercept = workloadCalls({
    attest: async (pid) => {
      begun.push(pid);
      await ended.promise;
      return new Set([`pid:${pid}`]);
    },
    ownPid: 0,
    log: silentLog,
  });
  const attested: string[] = [];
  const caller = (uid: number, pid: number, signal: AbortSignal) =>
    intercept(
      {
        method: '/SpiffeWorkloadAPI/FetchX509SVID',
        peer: {
          uid,
          gid: uid,
          pid,
          checkAlive: async () => {},
          hasExited: () => false,
          [Symbol.dispose]() {},
        },
        signal,
        deadline: Infinity,
        header: () => ['true'],
      },
      async (call) => {
        attested.push(...(await call.attest()));
      },
    );
  const gone = new AbortController();
  const many = Array.from({ length: 1000 }, (_, pid) => caller(1, pid, gone.signal));
  const other = caller(2, 5000, new AbortController().signal);
  assert.equal(begun.length, 257);
  assert.equal(begun.at(-1), 5000, 'the other user');

  gone.abort(new Fault('canceled', 'gone'));
  ended.resolve();
  await other;
  const outcomes = await Promise.allSettled(many);
  assert.equal(begun.length, 257, 'who gave up is not attested any more');
  assert.equal(outcomes.filter(({ status }) => status === 'rejected').length, 1000 - 256);
  assert.equal(attested.length, 257);
});

test('calls are counted once it is known who makes them; the agent’s own go free', async () => {
  const taken: string[] = [];
  const deps = {
    attest: async (pid: number) => new Set([`pid:${pid}`]),
    rateLimits: {
      take(method: string, selectors: ReadonlySet<string>) {
        taken.push(`${method} ${[...selectors].join()}`);
        throw new Fault('unavailable', 'enough');
      },
    },
    ownPid: 1,
    log: silentLog,
  };
  const call = (pid: number) =>
    workloadCall(deps, {
      method: '/SpiffeWorkloadAPI/FetchX509SVID',
      signal: new AbortController().signal,
      peer: { pid, checkAlive: async () => {} },
    });
  await assert.rejects(call(2).attest(), { kind: 'unavailable', message: 'enough' });
  assert.deepEqual(await call(1).attest(), new Set(['pid:1']));
  assert.deepEqual(taken, ['/SpiffeWorkloadAPI/FetchX509SVID pid:2']);
});
