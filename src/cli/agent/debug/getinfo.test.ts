import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { fakeService, runCommand } from '../../../../test/kit/run-command.ts';
import { Fault } from '../../../base/fault.ts';
import {
  Debug,
  type GetInfoResponseSchema,
} from '../../../wire/gen/spire/api/agent/debug/v1/debug_pb.ts';
import { debugGetInfo } from './getinfo.ts';

const info = {
  uptime: 3723,
  lastSyncSuccess: 1_772_359_200n,
  svidsCount: 3,
  cachedX509SvidsCount: 3,
  cachedJwtSvidsCount: 1,
  svidChain: [
    {
      id: { trustDomain: 'example.org', path: '/spire/agent/join_token/x' },
      expiresAt: 1_772_362_800n,
      subject: 'O=SPIRE,C=US',
    },
    { expiresAt: 1_772_445_600n, subject: 'CN=anyone' },
  ],
};

const run = (answer: MessageInitShape<typeof GetInfoResponseSchema>, ...args: string[]) =>
  runCommand(debugGetInfo, args, { services: [fakeService(Debug, { getInfo: () => answer })] });

test('prints what the agent tells of itself', async () => {
  const { code, stdout } = await run(info);
  assert.equal(code, 0);
  assert.equal(
    stdout,
    `Agent Debug Info:
  Uptime:                          1h2m3s
  Last Sync Success:               2026-03-01T10:00:00Z
  Cached X.509 SVIDs:              3
  Cached JWT SVIDs:                1
  Cached SVID Store X.509 SVIDs:   0
  SVID Chain:
    [0] SPIFFE ID:  spiffe://example.org/spire/agent/join_token/x
        Subject:    O=SPIRE,C=US
        Expires At: 2026-03-01T11:00:00Z
    [1] SPIFFE ID:  (none)
        Subject:    CN=anyone
        Expires At: 2026-03-02T10:00:00Z
`,
  );
});

test('an agent that never synchronised, without a chain', async () => {
  const { stdout } = await run({});
  assert.match(stdout, /^ {2}Last Sync Success: {15}\(never\)$/m);
  assert.doesNotMatch(stdout, /Chain/);
});

test('prints JSON', async () => {
  const { stdout } = await run({ ...info, svidChain: [] }, '-output', 'json');
  assert.equal(
    stdout,
    '{"cached_jwt_svids_count":1,"cached_svidstore_x509_svids_count":0,"cached_x509_svids_count":3,"last_sync_success":"1772359200","svid_chain":[],"svids_count":3,"uptime":3723}\n',
  );
});

test('tells what the agent refused, in its words', async () => {
  const services = [
    fakeService(Debug, {
      getInfo() {
        throw new Fault('internal', 'failed to verify agent SVID: x');
      },
    }),
  ];
  const { code, stdout, stderr } = await runCommand(debugGetInfo, [], { services });
  assert.deepEqual([code, stdout], [1, '']);
  assert.equal(stderr, 'Error: rpc error: code = Internal desc = failed to verify agent SVID: x\n');
});
