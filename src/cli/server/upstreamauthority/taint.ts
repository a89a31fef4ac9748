import {
  LocalAuthority,
  TaintX509UpstreamAuthorityResponseSchema,
} from '../../../wire/gen/spire/api/server/localauthority/v1/localauthority_pb.ts';
import { prefixed } from '../../kit/prefixed.ts';
import { serverCommand } from '../../kit/server-command.ts';
import { block } from '../localauthority/authority-text.ts';
import { requiredSubjectKeyId, subjectKeyIdFlag } from './subject-key-id.ts';

export const upstreamAuthorityTaint = serverCommand({
  name: 'upstreamauthority taint',
  flags: subjectKeyIdFlag('taint'),
  services: { localAuthority: LocalAuthority },
  async run({ subjectKeyID }, { api, out }) {
    const answer = await api.localAuthority
      .taintX509UpstreamAuthority({ subjectKeyId: requiredSubjectKeyId(subjectKeyID) })
      .catch(prefixed('could not taint X.509 upstream authority'));
    out.print(TaintX509UpstreamAuthorityResponseSchema, answer, (tainted) =>
      block('Tainted X.509 upstream authority:', [
        `Subject Key ID: ${tainted.upstreamAuthoritySubjectKeyId}`,
      ]),
    );
  },
});
