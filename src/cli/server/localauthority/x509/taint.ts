import {
  LocalAuthority,
  TaintX509AuthorityResponseSchema,
} from '../../../../wire/gen/spire/api/server/localauthority/v1/localauthority_pb.ts';
import { prefixed } from '../../../kit/prefixed.ts';
import { serverCommand } from '../../../kit/server-command.ts';
import { x509Words } from '../authority-text.ts';
import { authorityIdFlag, printChanged, requiredId } from '../changed.ts';

export const x509Taint = serverCommand({
  name: 'localauthority x509 taint',
  flags: authorityIdFlag('taint'),
  services: { localAuthority: LocalAuthority },
  async run({ authorityID }, { api, out }) {
    const answer = await api.localAuthority
      .taintX509Authority({ authorityId: requiredId(authorityID) })
      .catch(prefixed('could not taint X.509 authority'));
    printChanged(out, TaintX509AuthorityResponseSchema, answer, {
      deed: 'Tainted',
      words: x509Words,
      state: answer.taintedAuthority,
    });
  },
});
