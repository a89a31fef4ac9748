import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { policyFiles } from '../../../test/kit/policies.ts';
import { TestServer } from '../../../test/kit/server.ts';
import { Health } from '../../wire/gen/grpc/health/v1/health_pb.ts';
import { Bundle } from '../../wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import { Entry } from '../../wire/gen/spire/api/server/entry/v1/entry_pb.ts';

const HEALTH = '/grpc.health.v1.Health/Check';
const LIST = '/spire.api.server.entry.v1.Entry/ListEntries';
const COUNT = '/spire.api.server.entry.v1.Entry/CountEntries';

test('a server that has a policy does what that says, on both its listeners', async (t) => {
  const server = await TestServer.create(t);
  const policy = await policyFiles(server.folder, 'table', {
    apis: [
      { full_method: HEALTH, for: ['local'] },
      { full_method: LIST, for: ['local'] },
      { full_method: COUNT, for: ['anyone'] },
    ],
  });
  await server.start({ policy });
  using local = server.dialLocal();
  using stranger = server.dialTcp();
  assert.equal((await local.client(Health).check({})).status, 1);
  assert.deepEqual((await local.client(Entry).listEntries({})).entries, []);
  assert.equal((await stranger.client(Entry).countEntries({})).count, 0);
  await assert.rejects(stranger.client(Entry).listEntries({}), {
    kind: 'denied',
    message: `authorization denied for method ${LIST}`,
  });
  // Anyone may, by SPIRE's own policy.
  await assert.rejects(stranger.client(Bundle).getBundle({}), { kind: 'denied' });
});

test('a server does not start with a policy that it cannot use', async (t) => {
  const server = await TestServer.create(t);
  const policy = await policyFiles(server.folder, 'data', { result: {} });
  await assert.rejects(server.start({ policy }), {
    message:
      'unable to obtain authpolicy engine: authpolicy engine failed to validate on sample test inputs: policy is misconfigured: policy: result did not contain "allow" bool value',
  });
  await writeFile(policy.wasmPath, 'package spire');
  await assert.rejects(server.start({ policy }), {
    message: /^unable to obtain authpolicy engine: not a policy that was compiled to WebAssembly: /,
  });
});
