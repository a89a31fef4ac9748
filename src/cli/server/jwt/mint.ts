import { Fault } from '../../../base/fault.ts';
import { SpiffeId } from '../../../spiffe/spiffe-id.ts';
import {
  MintJWTSVIDResponseSchema,
  SVID,
} from '../../../wire/gen/spire/api/server/svid/v1/svid_pb.ts';
import { spiffeIdToProto } from '../../../wire/spiffe-id.ts';
import { fileModes, writeOutput } from '../../kit/files.ts';
import { flag } from '../../kit/flag.ts';
import { secondsInt32 } from '../../kit/int32.ts';
import { prefixed } from '../../kit/prefixed.ts';
import { serverCommand } from '../../kit/server-command.ts';
import { lifetimeRemark } from '../../kit/token-lifetime.ts';

export const jwtMint = serverCommand({
  name: 'jwt mint',
  flags: {
    spiffeID: flag.string('SPIFFE ID of the JWT-SVID'),
    audience: flag.strings('Whom the JWT-SVID is for; may be given again'),
    ttl: flag.duration("Lifetime of the JWT-SVID; 0 is the server's default"),
    write: flag.string('File to write the token to'),
  },
  services: { svid: SVID },
  async run({ spiffeID, audience, ttl, write }, { api, out, clock }) {
    if (spiffeID === '') throw new Fault('invalid', 'spiffeID must be specified');
    if (audience.length === 0) {
      throw new Fault('invalid', 'at least one audience must be specified');
    }
    const id = spiffeIdToProto(SpiffeId.parse(spiffeID));
    const answer = await api.svid
      .mintJWTSVID({ id, audience: [...audience], ttl: secondsInt32('TTL', ttl) })
      .catch(prefixed('unable to mint SVID'));
    const token = answer.svid?.token ?? '';
    if (token === '') throw new Fault('unknown', 'server response missing token');
    const remark = lifetimeRemark('JWT-SVID', token, ttl, clock);
    if (remark !== undefined) out.remark(remark);
    if (write === '') {
      out.print(MintJWTSVIDResponseSchema, answer, () => `${token}\n`);
      return;
    }
    await writeOutput(write, token, fileModes.private).catch(prefixed('unable to write token'));
    out.write(`JWT-SVID written to ${write}\n`);
  },
});
