import {
  LocalAuthority,
  TaintJWTAuthorityResponseSchema,
} from '../../../../wire/gen/spire/api/server/localauthority/v1/localauthority_pb.ts';
import { prefixed } from '../../../kit/prefixed.ts';
import { serverCommand } from '../../../kit/server-command.ts';
import { jwtWords } from '../authority-text.ts';
import { authorityIdFlag, printChanged, requiredId } from '../changed.ts';

export const jwtTaint = serverCommand({
  name: 'localauthority jwt taint',
  flags: authorityIdFlag('taint'),
  services: { localAuthority: LocalAuthority },
  async run({ authorityID }, { api, out }) {
    const answer = await api.localAuthority
      .taintJWTAuthority({ authorityId: requiredId(authorityID) })
      .catch(prefixed('could not taint JWT authority'));
    printChanged(out, TaintJWTAuthorityResponseSchema, answer, {
      deed: 'Tainted',
      words: jwtWords,
      state: answer.taintedAuthority,
    });
  },
});
