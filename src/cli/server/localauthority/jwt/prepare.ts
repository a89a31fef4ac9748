import {
  LocalAuthority,
  PrepareJWTAuthorityResponseSchema,
} from '../../../../wire/gen/spire/api/server/localauthority/v1/localauthority_pb.ts';
import { prefixed } from '../../../kit/prefixed.ts';
import { serverCommand } from '../../../kit/server-command.ts';
import { jwtWords } from '../authority-text.ts';
import { printChanged } from '../changed.ts';

export const jwtPrepare = serverCommand({
  name: 'localauthority jwt prepare',
  flags: {},
  services: { localAuthority: LocalAuthority },
  async run(_, { api, out }) {
    const answer = await api.localAuthority
      .prepareJWTAuthority({})
      .catch(prefixed('could not prepare JWT authority'));
    printChanged(out, PrepareJWTAuthorityResponseSchema, answer, {
      deed: 'Prepared',
      words: jwtWords,
      state: answer.preparedAuthority,
    });
  },
});
