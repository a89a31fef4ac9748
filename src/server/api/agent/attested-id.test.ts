import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type LogLine, recordingLog } from '../../../../test/kit/recording-log.ts';
import { SpiffeId } from '../../../spiffe/spiffe-id.ts';
import { TrustDomain } from '../../../spiffe/trust-domain.ts';
import { checkAttestedId } from './attested-id.ts';

const own = TrustDomain.parse('example.org');
const check = (id: string) => {
  const lines: LogLine[] = [];
  checkAttestedId(SpiffeId.parse(id), 'x509pop', own, recordingLog(lines));
  return lines;
};

test('an agent under its attestor is as it should be', () => {
  assert.deepEqual(check('spiffe://example.org/spire/agent/x509pop/a'), []);
});

const warnings: [id: string, error: string][] = [
  [
    'spiffe://example.org/spire/agent/other/a',
    '"spiffe://example.org/spire/agent/other/a" is not in the agent namespace for attestor "x509pop"',
  ],
  [
    'spiffe://example.org/web',
    '"spiffe://example.org/web" is not in the agent namespace for attestor "x509pop"',
  ],
  [
    'spiffe://other.test/spire/agent/x509pop/a',
    '"spiffe://other.test/spire/agent/x509pop/a" is not a member of trust domain "example.org"',
  ],
];
for (const [id, error] of warnings) {
  test(`warns of ${id}`, () => {
    const [line] = check(id);
    assert.match(line?.message ?? '', /^The node attestor produced an invalid agent ID; /);
    assert.equal(line?.fields['error'], error);
  });
}

for (const id of ['spiffe://example.org/spire/server', 'spiffe://other.test/spire/server']) {
  test(`refuses ${id}`, () => {
    assert.throws(() => check(id), {
      kind: 'internal',
      message: 'agent ID cannot collide with the server ID',
    });
  });
}
