import {
  LocalAuthority,
  PrepareX509AuthorityResponseSchema,
} from '../../../../wire/gen/spire/api/server/localauthority/v1/localauthority_pb.ts';
import { prefixed } from '../../../kit/prefixed.ts';
import { serverCommand } from '../../../kit/server-command.ts';
import { x509Words } from '../authority-text.ts';
import { printChanged } from '../changed.ts';

export const x509Prepare = serverCommand({
  name: 'localauthority x509 prepare',
  flags: {},
  services: { localAuthority: LocalAuthority },
  async run(_, { api, out }) {
    const answer = await api.localAuthority
      .prepareX509Authority({})
      .catch(prefixed('could not prepare X.509 authority'));
    printChanged(out, PrepareX509AuthorityResponseSchema, answer, {
      deed: 'Prepared',
      words: x509Words,
      state: answer.preparedAuthority,
    });
  },
});
