import {
  GetX509AuthorityStateResponseSchema,
  LocalAuthority,
} from '../../../../wire/gen/spire/api/server/localauthority/v1/localauthority_pb.ts';
import { prefixed } from '../../../kit/prefixed.ts';
import { serverCommand } from '../../../kit/server-command.ts';
import { x509Words } from '../authority-text.ts';
import { showText } from '../show-text.ts';

export const x509Show = serverCommand({
  name: 'localauthority x509 show',
  flags: {},
  services: { localAuthority: LocalAuthority },
  async run(_, { api, out }) {
    const answer = await api.localAuthority
      .getX509AuthorityState({})
      .catch(prefixed('could not get X.509 authorities'));
    out.print(GetX509AuthorityStateResponseSchema, answer, (states) => showText(states, x509Words));
  },
});
