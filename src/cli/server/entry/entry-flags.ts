import type { MessageInitShape } from '@bufbuild/protobuf';
import { Fault } from '../../../base/fault.ts';
import { parseSelector } from '../../../spiffe/selector.ts';
import { SERVER_PATH, SpiffeId } from '../../../spiffe/spiffe-id.ts';
import type { EntrySchema } from '../../../wire/gen/spire/api/types/entry_pb.ts';
import { spiffeIdToProto } from '../../../wire/spiffe-id.ts';
import { type FlagValues, flag } from '../../kit/flag.ts';
import { int32 } from '../../kit/int32.ts';

/** The flags by which `entry create` and `entry update` say what an entry shall be. */
export const entryFlags = {
  parentID: flag.string('SPIFFE ID of the agent or node that workloads of the entry run on'),
  spiffeID: flag.string('SPIFFE ID that the entry gives'),
  selector: flag.strings('Selector of the entry, as type:value; may be given again'),
  x509SVIDTTL: flag.int("Lifetime of X509-SVIDs in seconds; 0 is the server's default"),
  jwtSVIDTTL: flag.int("Lifetime of JWT-SVIDs in seconds; 0 is the server's default"),
  federatesWith: flag.strings(
    'Trust domain whose bundle workloads of the entry get; may be given again',
  ),
  admin: flag.bool("Let workloads of the entry call the server's admin API"),
  downstream: flag.bool('Let workloads of the entry act as downstream servers'),
  storeSVID: flag.bool('Give the SVID to an SVID store plugin and not to the Workload API'),
  entryExpiry: flag.int('When the entry ends, in Unix seconds; 0 is never'),
  dns: flag.strings('DNS name to put into X509-SVIDs; may be given again'),
  hint: flag.string('Hint that tells workloads what the SVID is for'),
  data: flag.string('JSON file with entries, - for standard input; other entry flags are ignored'),
};

type EntryFlags = FlagValues<typeof entryFlags>;
export type EntryMessage = MessageInitShape<typeof EntrySchema>;

/** What can be checked before anything is parsed. Throws 'invalid'. */
export function checkEntryFlags(flags: EntryFlags, parentRequired: string | undefined): void {
  if (flags.selector.length === 0) throw new Fault('invalid', 'at least one selector is required');
  if (parentRequired !== undefined && flags.parentID === '') {
    throw new Fault('invalid', parentRequired);
  }
  if (flags.spiffeID === '') throw new Fault('invalid', 'a SPIFFE ID is required');
  if (flags.x509SVIDTTL < 0n) throw new Fault('invalid', 'a positive x509-SVID TTL is required');
  if (flags.jwtSVIDTTL < 0n) throw new Fault('invalid', 'a positive JWT-SVID TTL is required');
}

/** The fields that both commands fill in the same way. Throws 'invalid'. */
export const entryFields = (flags: EntryFlags) => ({
  x509SvidTtl: int32('X509 SVID TTL', flags.x509SVIDTTL),
  jwtSvidTtl: int32('JWT SVID TTL', flags.jwtSVIDTTL),
  selectors: flags.selector.map(parseSelector),
  federatesWith: [...flags.federatesWith],
  admin: flags.admin,
  downstream: flags.downstream,
  storeSvid: flags.storeSVID,
  expiresAt: flags.entryExpiry,
  dnsNames: [...flags.dns],
  hint: flags.hint,
});

/** The parent of entries for nodes: the server of the entry's own trust domain. */
export const nodeParent = (id: SpiffeId) =>
  spiffeIdToProto(SpiffeId.of(id.trustDomain, SERVER_PATH));
