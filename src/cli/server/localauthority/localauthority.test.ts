import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Answers, fakeService, runCommand } from '../../../../test/kit/run-command.ts';
import { Fault } from '../../../base/fault.ts';
import { LocalAuthority } from '../../../wire/gen/spire/api/server/localauthority/v1/localauthority_pb.ts';
import type { Command } from '../../kit/command.ts';
import { upstreamAuthorityRevoke } from '../upstreamauthority/revoke.ts';
import { upstreamAuthorityTaint } from '../upstreamauthority/taint.ts';
import { jwtActivate } from './jwt/activate.ts';
import { jwtPrepare } from './jwt/prepare.ts';
import { jwtRevoke } from './jwt/revoke.ts';
import { jwtShow } from './jwt/show.ts';
import { jwtTaint } from './jwt/taint.ts';
import { x509Activate } from './x509/activate.ts';
import { x509Prepare } from './x509/prepare.ts';
import { x509Revoke } from './x509/revoke.ts';
import { x509Show } from './x509/show.ts';
import { x509Taint } from './x509/taint.ts';

const selfSigned = { authorityId: 'a1', expiresAt: 1_772_359_200n };
const belowUpstream = { ...selfSigned, upstreamAuthoritySubjectKeyId: 'c0ffee' };

/** A server that does what it is asked to, to the authority that it is told. */
const willing: Answers<typeof LocalAuthority> = {
  getX509AuthorityState: () => ({ active: selfSigned, prepared: belowUpstream }),
  prepareX509Authority: () => ({ preparedAuthority: belowUpstream }),
  activateX509Authority: ({ authorityId }) => ({
    activatedAuthority: { ...selfSigned, authorityId },
  }),
  taintX509Authority: ({ authorityId }) => ({ taintedAuthority: { ...selfSigned, authorityId } }),
  revokeX509Authority: ({ authorityId }) => ({ revokedAuthority: { authorityId } }),
  getJWTAuthorityState: () => ({ active: selfSigned, old: selfSigned }),
  prepareJWTAuthority: () => ({ preparedAuthority: selfSigned }),
  activateJWTAuthority: ({ authorityId }) => ({
    activatedAuthority: { ...selfSigned, authorityId },
  }),
  taintJWTAuthority: ({ authorityId }) => ({ taintedAuthority: { authorityId } }),
  revokeJWTAuthority: ({ authorityId }) => ({ revokedAuthority: { authorityId } }),
  taintX509UpstreamAuthority: ({ subjectKeyId }) => ({
    upstreamAuthoritySubjectKeyId: subjectKeyId,
  }),
  revokeX509UpstreamAuthority: ({ subjectKeyId }) => ({
    upstreamAuthoritySubjectKeyId: subjectKeyId,
  }),
};

async function run(command: Command, args: string, answers = willing) {
  const services = [fakeService(LocalAuthority, answers)];
  const { code, stdout, stderr } = await runCommand(command, args.split(' ').filter(Boolean), {
    services,
  });
  return { code, stdout, stderr };
}

const LIFE = '  Expires at: 2026-03-01 10:00:00 +0000 UTC\n';
const NO_END = '  Expires at: 1970-01-01 00:00:00 +0000 UTC\n';
const ALONE = '  Upstream authority ID: No upstream authority\n';
const BELOW = '  Upstream authority Subject Key ID: c0ffee\n';

const answers: readonly [command: Command, args: string, stdout: string][] = [
  [
    x509Show,
    '',
    `Active X.509 authority:\n  Authority ID: a1\n${LIFE}${ALONE}
Prepared X.509 authority:\n  Authority ID: a1\n${LIFE}${BELOW}
Old X.509 authority:\n  No old X.509 authority found\n`,
  ],
  [
    x509Show,
    '-output json',
    '{"active":{"authority_id":"a1","expires_at":"1772359200","upstream_authority_subject_key_id":""},"prepared":{"authority_id":"a1","expires_at":"1772359200","upstream_authority_subject_key_id":"c0ffee"}}\n',
  ],
  [
    jwtShow,
    '',
    `Active JWT authority:\n  Authority ID: a1\n${LIFE}
Prepared JWT authority:\n  No prepared JWT authority found

Old JWT authority:\n  Authority ID: a1\n${LIFE}`,
  ],
  [x509Prepare, '', `Prepared X.509 authority:\n  Authority ID: a1\n${LIFE}${BELOW}`],
  [jwtPrepare, '', `Prepared JWT authority:\n  Authority ID: a1\n${LIFE}`],
  [
    jwtPrepare,
    '-output json',
    '{"prepared_authority":{"authority_id":"a1","expires_at":"1772359200","upstream_authority_subject_key_id":""}}\n',
  ],
  [
    x509Activate,
    '-authorityID b',
    `Activated X.509 authority:\n  Authority ID: b\n${LIFE}${ALONE}`,
  ],
  [jwtActivate, '-authorityID b', `Activated JWT authority:\n  Authority ID: b\n${LIFE}`],
  [x509Taint, '-authorityID b', `Tainted X.509 authority:\n  Authority ID: b\n${LIFE}${ALONE}`],
  [jwtTaint, '-authorityID b', `Tainted JWT authority:\n  Authority ID: b\n${NO_END}`],
  [x509Revoke, '-authorityID b', `Revoked X.509 authority:\n  Authority ID: b\n${NO_END}${ALONE}`],
  [jwtRevoke, '-authorityID b', `Revoked JWT authority:\n  Authority ID: b\n${NO_END}`],
  [
    jwtRevoke,
    '-authorityID b -output json',
    '{"revoked_authority":{"authority_id":"b","expires_at":"0","upstream_authority_subject_key_id":""}}\n',
  ],
  [
    upstreamAuthorityTaint,
    '-subjectKeyID ab',
    'Tainted X.509 upstream authority:\n  Subject Key ID: ab\n',
  ],
  [
    upstreamAuthorityRevoke,
    '-subjectKeyID ab',
    'Revoked X.509 upstream authority:\n  Subject Key ID: ab\n',
  ],
  [
    upstreamAuthorityRevoke,
    '-subjectKeyID ab -output json',
    '{"upstream_authority_subject_key_id":"ab"}\n',
  ],
];
for (const [command, args, stdout] of answers) {
  test(`${command.name} ${args}`, async () => {
    assert.deepEqual(await run(command, args), { code: 0, stdout, stderr: '' });
  });
}

const fails = () => {
  throw new Fault('invalid', 'unexpected authority ID');
};
const failing: Answers<typeof LocalAuthority> = Object.fromEntries(
  Object.keys(willing).map((method) => [method, fails]),
);
const STATUS = 'rpc error: code = InvalidArgument desc = unexpected authority ID';

const failures: readonly [command: Command, prefix: string][] = [
  [x509Show, 'could not get X.509 authorities: '],
  [jwtShow, ''],
  [x509Prepare, 'could not prepare X.509 authority: '],
  [jwtPrepare, 'could not prepare JWT authority: '],
  [x509Activate, 'could not activate X.509 authority: '],
  [jwtActivate, 'could not activate JWT authority: '],
  [x509Taint, 'could not taint X.509 authority: '],
  [jwtTaint, 'could not taint JWT authority: '],
  [x509Revoke, 'could not revoke X.509 authority: '],
  [jwtRevoke, 'could not revoke JWT authority: '],
  [upstreamAuthorityTaint, 'could not taint X.509 upstream authority: '],
  [upstreamAuthorityRevoke, 'could not revoke X.509 upstream authority: '],
];
for (const [command, prefix] of failures) {
  test(`${command.name} says why the server refuses`, async () => {
    const args = Object.keys(command.flags)
      .filter((name) => name === 'authorityID' || name === 'subjectKeyID')
      .map((name) => `-${name} b`);
    assert.deepEqual(await run(command, args.join(' '), failing), {
      code: 1,
      stdout: '',
      stderr: `Error: ${prefix}${STATUS}\n`,
    });
  });
}

for (const command of [x509Activate, x509Taint, x509Revoke, jwtActivate, jwtTaint, jwtRevoke]) {
  test(`${command.name} wants an ID`, async () => {
    assert.deepEqual(await run(command, ''), {
      code: 1,
      stdout: '',
      stderr: 'Error: an authority ID is required\n',
    });
  });
}
for (const command of [upstreamAuthorityTaint, upstreamAuthorityRevoke]) {
  test(`${command.name} wants an ID`, async () => {
    assert.deepEqual(await run(command, ''), {
      code: 1,
      stdout: '',
      stderr: 'Error: the Subject Key ID of the X.509 upstream authority is required\n',
    });
  });
}

for (const [command, deed] of [
  [x509Prepare, 'Prepared'],
  [x509Activate, 'Activated'],
  [x509Taint, 'Tainted'],
  [x509Revoke, 'Revoked'],
] as const) {
  test(`${command.name} in words misses an authority in the answer, in JSON it does not`, async () => {
    const silent: Answers<typeof LocalAuthority> = Object.fromEntries(
      Object.keys(willing).map((method) => [method, () => ({})]),
    );
    const args = command === x509Prepare ? '' : '-authorityID b';
    assert.deepEqual(await run(command, args, silent), {
      code: 1,
      stdout: `${deed} X.509 authority:\n`,
      stderr: `Error: internal error: expected to have ${deed.toLowerCase()} X.509 authority information\n`,
    });
    assert.deepEqual(await run(command, `${args} -output json`, silent), {
      code: 0,
      stdout: '{}\n',
      stderr: '',
    });
  });
}
