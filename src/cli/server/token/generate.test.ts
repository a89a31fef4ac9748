import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakeService, runCommand } from '../../../../test/kit/run-command.ts';
import { Fault } from '../../../base/fault.ts';
import {
  Agent,
  type CreateJoinTokenRequest,
} from '../../../wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { tokenGenerate } from './generate.ts';

async function run(...args: string[]) {
  const requests: CreateJoinTokenRequest[] = [];
  const agent = fakeService(Agent, {
    createJoinToken(request) {
      requests.push(request);
      if (request.ttl <= 0) throw new Fault('invalid', 'ttl is required, you must provide one');
      return { value: 'a-token', expiresAt: 1_700_000_600n };
    },
  });
  const { code, stdout, stderr } = await runCommand(tokenGenerate, args, { services: [agent] });
  return { code, stdout, stderr, requests };
}

test('makes a token that can be used for ten minutes, and warns that it gives no other ID', async () => {
  const { requests, ...said } = await run();
  assert.deepEqual(said, {
    code: 0,
    stdout: 'Token: a-token\nWarning: Missing SPIFFE ID.\n',
    stderr: '',
  });
  assert.equal(requests[0]?.ttl, 600);
  assert.equal(requests[0].agentId, undefined);
});

test('asks for the ID and lifetime that it was given', async () => {
  const { requests, stdout } = await run('-spiffeID', 'spiffe://td/node', '-ttl', '60');
  assert.equal(stdout, 'Token: a-token\n');
  assert.equal(requests[0]?.ttl, 60);
  assert.equal(requests[0].agentId?.trustDomain, 'td');
  assert.equal(requests[0].agentId.path, '/node');
});

test('prints JSON with a 64-bit number as a string', async () => {
  const { stdout } = await run('-output', 'json');
  assert.equal(stdout, '{"expires_at":"1700000600","value":"a-token"}\n');
});

const refusals: readonly [args: string[], stderr: string, asked: number][] = [
  [['-spiffeID', 'td/node', '-ttl', '4294967296'], 'scheme is missing or invalid', 0],
  [
    ['-ttl', '4294967296'],
    'invalid value for TTL: overflow converting int(4294967296) to int32',
    0,
  ],
  [
    ['-ttl', '-5'],
    'rpc error: code = InvalidArgument desc = ttl is required, you must provide one',
    1,
  ],
];
for (const [args, message, asked] of refusals) {
  test(`refuses ${args.join(' ')}`, async () => {
    const { requests, ...said } = await run(...args);
    assert.deepEqual(said, { code: 1, stdout: '', stderr: `Error: ${message}\n` });
    assert.equal(requests.length, asked);
  });
}

test('a wrong flag prints the usage under its short name, and nothing after it', async () => {
  const { code, stderr } = await run('-ttl', 'ten');
  assert.equal(code, 1);
  assert.match(
    stderr,
    /^invalid value "ten" for flag -ttl: parse error\nUsage of generate:\n {2}-instance string\n/,
  );
  assert.equal(stderr.match(/parse error/g)?.length, 1);
});
