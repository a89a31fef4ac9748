import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakeEnv, fakeService } from '../../../test/kit/run-command.ts';
import { Fault, kindOf } from '../../base/fault.ts';
import type { CallOptions } from '../../rpc/dial.ts';
import { SpiffeWorkloadAPI } from '../../wire/gen/spiffe/workload/workload_pb.ts';
import { openApi, statusMessage } from './api.ts';

async function apiOver(answers: Parameters<typeof fakeService<typeof SpiffeWorkloadAPI>>[1]) {
  const { env } = fakeEnv([], { services: [fakeService(SpiffeWorkloadAPI, answers)] });
  const channel = await env.dial({ address: 'unix:x' });
  const headers = { 'workload.spiffe.io': 'true' };
  return openApi(channel, { workload: SpiffeWorkloadAPI }, () => ({ headers }));
}

const failures: readonly [thrown: Fault, text: string][] = [
  [
    new Fault('denied', 'no identity issued'),
    'rpc error: code = PermissionDenied desc = no identity issued',
  ],
  [new Fault('deadline', 'too slow'), 'rpc error: code = DeadlineExceeded desc = too slow'],
];
for (const [thrown, message] of failures) {
  test(`a failed call says ${message}`, async () => {
    const fail = () => {
      throw thrown;
    };
    const { workload } = await apiOver({ validateJWTSVID: fail, fetchX509SVID: fail });
    const unary = workload.validateJWTSVID({});
    await assert.rejects(unary, { name: 'Fault', kind: thrown.kind, message });
    const stream = async () => {
      for await (const _ of workload.fetchX509SVID({})) assert.fail('nothing was sent');
    };
    await assert.rejects(stream, { name: 'Fault', kind: thrown.kind, message });
  });
}

test('the status message can be had without the words around it', async () => {
  const { workload } = await apiOver({
    validateJWTSVID: () => {
      throw new Fault('invalid', 'no good');
    },
  });
  const error: unknown = await workload.validateJWTSVID({}).catch((thrown: unknown) => thrown);
  assert.equal(kindOf(error), 'invalid');
  assert.ok(error instanceof Fault);
  assert.equal(statusMessage(error), 'no good');
  assert.equal(statusMessage(new Fault('invalid', 'plain')), 'plain');
});

test('what is no Fault stays what it is', async () => {
  const bug = new TypeError('a bug');
  const { workload } = await apiOver({
    validateJWTSVID: () => {
      throw bug;
    },
  });
  await assert.rejects(workload.validateJWTSVID({}), bug);
});

test('every call gets the options of its kind, and its own', async () => {
  const seen: CallOptions[] = [];
  const { workload } = await apiOver({
    validateJWTSVID: (_request, options) => {
      seen.push(options);
      return {};
    },
  });
  await workload.validateJWTSVID({}, { timeoutMilliseconds: 5 });
  assert.deepEqual(seen, [{ headers: { 'workload.spiffe.io': 'true' }, timeoutMilliseconds: 5 }]);
});
