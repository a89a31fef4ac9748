import {
  GetJWTAuthorityStateResponseSchema,
  LocalAuthority,
} from '../../../../wire/gen/spire/api/server/localauthority/v1/localauthority_pb.ts';
import { serverCommand } from '../../../kit/server-command.ts';
import { jwtWords } from '../authority-text.ts';
import { showText } from '../show-text.ts';

export const jwtShow = serverCommand({
  name: 'localauthority jwt show',
  flags: {},
  services: { localAuthority: LocalAuthority },
  async run(_, { api, out }) {
    const answer = await api.localAuthority.getJWTAuthorityState({});
    out.print(GetJWTAuthorityStateResponseSchema, answer, (states) => showText(states, jwtWords));
  },
});
