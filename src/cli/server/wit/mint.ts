import { join } from 'node:path';
import { Fault } from '../../../base/fault.ts';
import { privateJwk } from '../../../crypto/jose/private-jwk.ts';
import { generateKey } from '../../../crypto/keys.ts';
import { SpiffeId } from '../../../spiffe/spiffe-id.ts';
import { SVID } from '../../../wire/gen/spire/api/server/svid/v1/svid_pb.ts';
import type { WITSVID } from '../../../wire/gen/spire/api/types/witsvid_pb.ts';
import { spiffeIdToProto } from '../../../wire/spiffe-id.ts';
import { fileModes, writeOutput } from '../../kit/files.ts';
import { flag } from '../../kit/flag.ts';
import { secondsInt32 } from '../../kit/int32.ts';
import { prefixed } from '../../kit/prefixed.ts';
import { serverCommand } from '../../kit/server-command.ts';
import { lifetimeRemark } from '../../kit/token-lifetime.ts';
import { keyTypeFor } from './key-choice.ts';

export const witMint = serverCommand({
  name: 'wit mint',
  flags: {
    spiffeID: flag.string('SPIFFE ID of the WIT-SVID'),
    keyType: flag.string("Type of the workload's key", 'ec-p256'),
    signingAlgorithm: flag.string('Algorithm that the workload will sign with', 'ES256'),
    ttl: flag.duration("Lifetime of the WIT-SVID; 0 is the server's default"),
    write: flag.string('Folder to write the token and the key to'),
  },
  services: { svid: SVID },
  async run({ spiffeID, keyType, signingAlgorithm, ttl, write }, { api, out, clock }) {
    if (spiffeID === '') throw new Fault('invalid', 'spiffeID must be specified');
    const id = spiffeIdToProto(SpiffeId.parse(spiffeID));
    const ttlSeconds = secondsInt32('TTL', ttl);
    const key = await generateKey(keyTypeFor(keyType, signingAlgorithm)).catch(
      prefixed('could not generate public/private key pair'),
    );
    const { spki: publicKey } = key.publicKey;
    const { svid } = await api.svid
      .mintWITSVID({ id, publicKey, signingAlgorithm, ttl: ttlSeconds })
      .catch(prefixed('unable to mint SVID'));
    if (svid === undefined || svid.token === '') {
      throw new Fault('unknown', 'server response missing token');
    }
    const jwk = JSON.stringify(privateJwk(key));
    const remark = lifetimeRemark('WIT-SVID', svid.token, ttl, clock);
    if (remark !== undefined) out.remark(remark);
    if (write === '') {
      out.printStruct(
        { private_key: jwk, svid: svidStruct(svid) },
        () => `${svid.token}\n${jwk}\n`,
      );
      return;
    }
    const [tokenPath, keyPath] = [join(write, 'token'), join(write, 'key')];
    const mode = fileModes.private;
    await writeOutput(tokenPath, svid.token, mode).catch(prefixed('unable to write token'));
    await writeOutput(keyPath, jwk, mode).catch(prefixed('unable to write key'));
    out.write(`WIT-SVID written to ${tokenPath}\nPrivate key written to ${keyPath}\n`);
  },
});

/** Not as messages are printed elsewhere: numbers are numbers, and empty members are left out. */
const svidStruct = ({ token, id, expiresAt, issuedAt, hint }: WITSVID) => ({
  token,
  ...(id && { id: { trust_domain: id.trustDomain, path: id.path } }),
  ...(expiresAt !== 0n && { expires_at: Number(expiresAt) }),
  ...(issuedAt !== 0n && { issued_at: Number(issuedAt) }),
  ...(hint !== '' && { hint }),
});
