import {
  ActivateJWTAuthorityResponseSchema,
  LocalAuthority,
} from '../../../../wire/gen/spire/api/server/localauthority/v1/localauthority_pb.ts';
import { prefixed } from '../../../kit/prefixed.ts';
import { serverCommand } from '../../../kit/server-command.ts';
import { jwtWords } from '../authority-text.ts';
import { authorityIdFlag, printChanged, requiredId } from '../changed.ts';

export const jwtActivate = serverCommand({
  name: 'localauthority jwt activate',
  flags: authorityIdFlag('activate'),
  services: { localAuthority: LocalAuthority },
  async run({ authorityID }, { api, out }) {
    const answer = await api.localAuthority
      .activateJWTAuthority({ authorityId: requiredId(authorityID) })
      .catch(prefixed('could not activate JWT authority'));
    printChanged(out, ActivateJWTAuthorityResponseSchema, answer, {
      deed: 'Activated',
      words: jwtWords,
      state: answer.activatedAuthority,
    });
  },
});
