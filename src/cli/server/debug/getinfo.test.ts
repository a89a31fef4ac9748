import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { fakeService, runCommand } from '../../../../test/kit/run-command.ts';
import { Fault } from '../../../base/fault.ts';
import {
  Debug,
  type GetInfoResponseSchema,
} from '../../../wire/gen/spire/api/server/debug/v1/debug_pb.ts';
import { debugGetInfo } from './getinfo.ts';

const info = {
  uptime: 3723,
  agentsCount: 10,
  entriesCount: 50,
  federatedBundlesCount: 2,
  svidChain: [
    {
      id: { trustDomain: 'example.org', path: '/spire/server' },
      expiresAt: 1_772_359_200n,
      subject: 'O=SPIRE,C=US',
    },
    { expiresAt: 1_772_445_600n, subject: 'CN=anyone' },
  ],
};

const run = (answer: MessageInitShape<typeof GetInfoResponseSchema>, ...args: string[]) =>
  runCommand(debugGetInfo, args, { services: [fakeService(Debug, { getInfo: () => answer })] });

test('prints what the server tells of itself', async () => {
  const { code, stdout } = await run(info);
  assert.equal(code, 0);
  assert.equal(
    stdout,
    `Server Debug Info:
  Uptime:                  1h2m3s
  Registered Agents:       10
  Registration Entries:    50
  Federated Bundles:       2
  SVID Chain:
    [0] SPIFFE ID:  spiffe://example.org/spire/server
        Subject:    O=SPIRE,C=US
        Expires At: 2026-03-01T10:00:00Z
    [1] SPIFFE ID:  (none)
        Subject:    CN=anyone
        Expires At: 2026-03-02T10:00:00Z
`,
  );
});

test('a chain that is empty is not mentioned', async () => {
  const { stdout } = await run({ ...info, svidChain: [], uptime: 0 });
  assert.match(stdout, /^ {2}Uptime: {18}0s$/m);
  assert.match(stdout, /Federated Bundles: {7}2\n$/);
});

test('prints JSON', async () => {
  const { stdout } = await run(
    { ...info, svidChain: info.svidChain.slice(0, 1) },
    '-output',
    'json',
  );
  assert.equal(
    stdout,
    '{"agents_count":10,"entries_count":50,"federated_bundles_count":2,"svid_chain":[{"expires_at":"1772359200","id":{"path":"/spire/server","trust_domain":"example.org"},"subject":"O=SPIRE,C=US"}],"uptime":3723}\n',
  );
});

test('tells what the server refused, in its words', async () => {
  const services = [
    fakeService(Debug, {
      getInfo() {
        throw new Fault('not-found', 'trust domain bundle not found');
      },
    }),
  ];
  const { code, stdout, stderr } = await runCommand(debugGetInfo, [], { services });
  assert.deepEqual([code, stdout], [1, '']);
  assert.equal(stderr, 'Error: rpc error: code = NotFound desc = trust domain bundle not found\n');
});
