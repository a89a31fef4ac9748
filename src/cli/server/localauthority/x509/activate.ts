import {
  ActivateX509AuthorityResponseSchema,
  LocalAuthority,
} from '../../../../wire/gen/spire/api/server/localauthority/v1/localauthority_pb.ts';
import { prefixed } from '../../../kit/prefixed.ts';
import { serverCommand } from '../../../kit/server-command.ts';
import { x509Words } from '../authority-text.ts';
import { authorityIdFlag, printChanged, requiredId } from '../changed.ts';

export const x509Activate = serverCommand({
  name: 'localauthority x509 activate',
  flags: authorityIdFlag('activate'),
  services: { localAuthority: LocalAuthority },
  async run({ authorityID }, { api, out }) {
    const answer = await api.localAuthority
      .activateX509Authority({ authorityId: requiredId(authorityID) })
      .catch(prefixed('could not activate X.509 authority'));
    printChanged(out, ActivateX509AuthorityResponseSchema, answer, {
      deed: 'Activated',
      words: x509Words,
      state: answer.activatedAuthority,
    });
  },
});
