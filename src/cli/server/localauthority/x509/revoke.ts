import {
  LocalAuthority,
  RevokeX509AuthorityResponseSchema,
} from '../../../../wire/gen/spire/api/server/localauthority/v1/localauthority_pb.ts';
import { prefixed } from '../../../kit/prefixed.ts';
import { serverCommand } from '../../../kit/server-command.ts';
import { x509Words } from '../authority-text.ts';
import { authorityIdFlag, printChanged, requiredId } from '../changed.ts';

export const x509Revoke = serverCommand({
  name: 'localauthority x509 revoke',
  flags: authorityIdFlag('revoke'),
  services: { localAuthority: LocalAuthority },
  async run({ authorityID }, { api, out }) {
    const answer = await api.localAuthority
      .revokeX509Authority({ authorityId: requiredId(authorityID) })
      .catch(prefixed('could not revoke X.509 authority'));
    printChanged(out, RevokeX509AuthorityResponseSchema, answer, {
      deed: 'Revoked',
      words: x509Words,
      state: answer.revokedAuthority,
    });
  },
});
