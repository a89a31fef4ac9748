import {
  LocalAuthority,
  RevokeJWTAuthorityResponseSchema,
} from '../../../../wire/gen/spire/api/server/localauthority/v1/localauthority_pb.ts';
import { prefixed } from '../../../kit/prefixed.ts';
import { serverCommand } from '../../../kit/server-command.ts';
import { jwtWords } from '../authority-text.ts';
import { authorityIdFlag, printChanged, requiredId } from '../changed.ts';

export const jwtRevoke = serverCommand({
  name: 'localauthority jwt revoke',
  flags: authorityIdFlag('revoke'),
  services: { localAuthority: LocalAuthority },
  async run({ authorityID }, { api, out }) {
    const answer = await api.localAuthority
      .revokeJWTAuthority({ authorityId: requiredId(authorityID) })
      .catch(prefixed('could not revoke JWT authority'));
    printChanged(out, RevokeJWTAuthorityResponseSchema, answer, {
      deed: 'Revoked',
      words: jwtWords,
      state: answer.revokedAuthority,
    });
  },
});
