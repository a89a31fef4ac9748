import { setImmediate as letOthersRun } from 'node:timers/promises';
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { wrapFault } from '../../base/fault.ts';
import type { Bundle } from '../../spiffe/bundle.ts';
import { bundleToProto } from '../../wire/bundle.ts';
import { KeptSchema } from '../../wire/gen/private/agent/kept/kept_pb.ts';
import { safeNumber } from '../../wire/int64.ts';
import { selectorToProto } from '../../wire/selector.ts';
import { spiffeIdToProto } from '../../wire/spiffe-id.ts';
import type { AuthorizedEntry } from '../authorized-entry.ts';
import type { Identity } from '../cache/workload-update.ts';
import { bundleFromServer } from '../sync/bundle-from-server.ts';
import { entryFromServer } from '../sync/entry-from-server.ts';

/** An SVID as it was kept, before anybody has looked at it. */
export type KeptSvid = {
  readonly entryId: string;
  readonly revisionNumber: number;
  readonly createdAt: number;
  readonly chain: Uint8Array;
  readonly privateKey: Uint8Array;
};

export type Kept = {
  readonly entries: readonly AuthorizedEntry[];
  readonly bundles: readonly Bundle[];
  readonly svids: readonly KeptSvid[];
};

/** So many are encoded without a pause: thousands would hold up everybody else. */
const SLICE = 128;

/** Identities with their bundles, as bytes. */
export async function encodeKept(
  identities: readonly Identity[],
  bundles: readonly Bundle[],
): Promise<Uint8Array> {
  const parts = [encoded({ bundles: bundles.map((bundle) => bundleToProto(bundle)) })];
  for (let start = 0; start < identities.length; start += SLICE) {
    const slice = identities.slice(start, start + SLICE);
    // Messages that follow one another are one message: lists are joined.
    parts.push(encoded({ entries: slice.map(entryToKeep), svids: slice.map(svidToKeep) }));
    await letOthersRun();
  }
  return Buffer.concat(parts);
}

/** Throws 'invalid' if it is no such thing. */
export function decodeKept(bytes: Uint8Array): Kept {
  try {
    const { entries, bundles, svids } = fromBinary(KeptSchema, bytes);
    return {
      entries: entries.map(entryFromServer),
      bundles: bundles.map((bundle) => bundleFromServer(bundle)),
      svids: svids.map((svid) => ({
        entryId: svid.entryId,
        revisionNumber: safeNumber('revision_number', svid.revisionNumber),
        createdAt: safeNumber('created_at', svid.createdAt),
        chain: Uint8Array.from(svid.chain),
        privateKey: Uint8Array.from(svid.privateKey),
      })),
    };
  } catch (error) {
    throw wrapFault('malformed', error, 'invalid');
  }
}

type Init = Exclude<MessageInitShape<typeof KeptSchema>, { $typeName: string }>;

const encoded = (init: Init): Uint8Array => toBinary(KeptSchema, create(KeptSchema, init));

/** The inverse of `entryFromServer`. */
const entryToKeep = ({ entry }: Identity) => ({
  id: entry.id,
  spiffeId: spiffeIdToProto(entry.spiffeId),
  selectors: entry.selectors.map(selectorToProto),
  federatesWith: entry.federatesWith.map(({ name }) => name),
  admin: entry.admin,
  downstream: entry.downstream,
  revisionNumber: BigInt(entry.revisionNumber),
  storeSvid: entry.storeSvid,
  hint: entry.hint,
  createdAt: BigInt(entry.createdAt),
  additionalAttributes: { disableX509SvidPrefetch: entry.disableX509SvidPrefetch },
});

const svidToKeep = ({ entry, svid }: Identity) => ({
  entryId: entry.id,
  revisionNumber: BigInt(entry.revisionNumber),
  createdAt: BigInt(entry.createdAt),
  chain: svid.chain,
  privateKey: svid.privateKey,
});
