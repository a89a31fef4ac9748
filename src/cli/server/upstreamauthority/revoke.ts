import {
  LocalAuthority,
  RevokeX509UpstreamAuthorityResponseSchema,
} from '../../../wire/gen/spire/api/server/localauthority/v1/localauthority_pb.ts';
import { prefixed } from '../../kit/prefixed.ts';
import { serverCommand } from '../../kit/server-command.ts';
import { block } from '../localauthority/authority-text.ts';
import { requiredSubjectKeyId, subjectKeyIdFlag } from './subject-key-id.ts';

export const upstreamAuthorityRevoke = serverCommand({
  name: 'upstreamauthority revoke',
  flags: subjectKeyIdFlag('revoke'),
  services: { localAuthority: LocalAuthority },
  async run({ subjectKeyID }, { api, out }) {
    const answer = await api.localAuthority
      .revokeX509UpstreamAuthority({ subjectKeyId: requiredSubjectKeyId(subjectKeyID) })
      .catch(prefixed('could not revoke X.509 upstream authority'));
    out.print(RevokeX509UpstreamAuthorityResponseSchema, answer, (revoked) =>
      block('Revoked X.509 upstream authority:', [
        `Subject Key ID: ${revoked.upstreamAuthoritySubjectKeyId}`,
      ]),
    );
  },
});
