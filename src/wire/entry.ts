import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { Fault } from '../base/fault.ts';
import { checkDnsName } from '../spiffe/dns-name.ts';
import type { AdditionalAttributes, Entry } from '../spiffe/entry.ts';
import { SpiffeId } from '../spiffe/spiffe-id.ts';
import { TrustDomain } from '../spiffe/trust-domain.ts';
import {
  type EntryMask,
  EntryMaskSchema,
  EntrySchema,
  type Entry as ProtoEntry,
} from './gen/spire/api/types/entry_pb.ts';
import { safeNumber } from './int64.ts';
import { joinMessages } from './join-messages.ts';
import { masked } from './masked.ts';
import { prefixed } from './prefixed.ts';
import { selectorsFromProto, selectorToProto } from './selector.ts';
import { memberIdFromProto, spiffeIdToProto, workloadIdFromProto } from './spiffe-id.ts';

/** What a caller may say of an entry; the server keeps revision and creation time. */
export type EntryInput = Omit<Entry, 'revisionNumber' | 'createdAt'>;
export type EntryInputField = Exclude<keyof EntryInput, 'id'>;

/** Bytes (`reference/server.md` §14.2). */
const MAX_HINT_BYTES = 1024;

/** Which bits of a mask mean what; those of output only fields are not here. */
const maskBits = {
  spiffeId: 'spiffeId',
  parentId: 'parentId',
  selectors: 'selectors',
  x509SvidTtl: 'x509SvidTtlSeconds',
  jwtSvidTtl: 'jwtSvidTtlSeconds',
  federatesWith: 'federatesWith',
  admin: 'admin',
  downstream: 'downstream',
  expiresAt: 'expiresAt',
  dnsNames: 'dnsNames',
  storeSvid: 'storeSvid',
  hint: 'hint',
  additionalAttributes: 'additionalAttributes',
} satisfies Partial<Record<keyof EntryMask, EntryInputField>>;

/** The fields that an update with this mask replaces; without a mask all of them. */
export function entryFieldsFromMask(mask: EntryMask | undefined): ReadonlySet<EntryInputField> {
  const bits = Object.keys(maskBits) as (keyof typeof maskBits)[];
  return new Set(bits.filter((bit) => mask === undefined || mask[bit]).map((bit) => maskBits[bit]));
}

/**
 * Checks in SPIRE's order, with its words. A field outside the mask is not looked at, and has no meaning in the
 * result. Throws 'invalid'.
 */
export function entryFromProto(
  proto: ProtoEntry | undefined,
  trustDomain: TrustDomain,
  mask?: EntryMask,
): EntryInput {
  if (proto === undefined) throw new Fault('invalid', 'missing entry');
  const placeholder = SpiffeId.of(trustDomain, '');
  const given = <T>(bit: keyof typeof maskBits, parse: () => T, otherwise: T): T =>
    mask === undefined || mask[bit] ? parse() : otherwise;

  const parentId = given(
    'parentId',
    () => prefixed('invalid parent ID', () => memberIdFromProto(proto.parentId, trustDomain)),
    placeholder,
  );
  const spiffeId = given(
    'spiffeId',
    () => prefixed('invalid spiffe ID', () => workloadIdFromProto(proto.spiffeId, trustDomain)),
    placeholder,
  );
  const dnsNames = given('dnsNames', () => dnsNamesFromProto(proto.dnsNames), []);
  const federatesWith = given(
    'federatesWith',
    () => trustDomainsFromProto(proto.federatesWith),
    [],
  );
  const selectors = given('selectors', () => {
    if (proto.selectors.length === 0) throw new Fault('invalid', 'selector list is empty');
    return selectorsFromProto(proto.selectors);
  }, []);
  const hint = given('hint', () => hintFromProto(proto.hint), '');
  return {
    id: proto.id,
    spiffeId,
    parentId,
    selectors,
    x509SvidTtlSeconds: proto.x509SvidTtl,
    jwtSvidTtlSeconds: proto.jwtSvidTtl,
    federatesWith,
    admin: proto.admin,
    downstream: proto.downstream,
    expiresAt: given('expiresAt', () => safeNumber('expires_at', proto.expiresAt), 0),
    dnsNames,
    storeSvid: proto.storeSvid,
    hint,
    additionalAttributes: attributesFromProto(proto.additionalAttributes),
  };
}

/** All fields, or those of the mask; the ID always. */
export function entryToProto(entry: Entry, mask?: EntryMask): MessageInitShape<typeof EntrySchema> {
  const full = {
    spiffeId: spiffeIdToProto(entry.spiffeId),
    parentId: spiffeIdToProto(entry.parentId),
    selectors: entry.selectors.map(selectorToProto),
    x509SvidTtl: entry.x509SvidTtlSeconds,
    federatesWith: entry.federatesWith.map(({ name }) => name),
    admin: entry.admin,
    downstream: entry.downstream,
    expiresAt: BigInt(entry.expiresAt),
    dnsNames: [...entry.dnsNames],
    revisionNumber: BigInt(entry.revisionNumber),
    storeSvid: entry.storeSvid,
    jwtSvidTtl: entry.jwtSvidTtlSeconds,
    hint: entry.hint,
    createdAt: BigInt(entry.createdAt),
    ...attributesToProto(entry.additionalAttributes),
  };
  return { id: entry.id, ...masked(full, mask) };
}

/**
 * The serialised `spire.api.types.Entry`. Entries never change, so the bytes are made once for each entry and mask
 * in use (of one mask at a time: agents all send the same).
 */
export const encodeEntry = (entry: Entry, mask?: EntryMask): Uint8Array =>
  entryEncoder(mask)(entry);

/** The same for many entries. */
export function entryEncoder(mask?: EntryMask): (entry: Entry) => Uint8Array {
  const key = maskKey(mask);
  return (entry) => {
    const known = encodedEntries.get(entry);
    if (known?.key === key) return known.bytes;
    const bytes = encodeEntryOnce(entry, mask);
    encodedEntries.set(entry, { key, bytes });
    return bytes;
  };
}

/** The same for callers whose masks are their own: nothing is kept. */
export const encodeEntryOnce = (entry: Entry, mask?: EntryMask): Uint8Array =>
  toBinary(EntrySchema, create(EntrySchema, entryToProto(entry, mask)));

/** Entries as a repeated field of that number, to be joined with other encoded fields into a message. */
export function encodeEntries(
  fieldNumber: number,
  entries: readonly Entry[],
  mask?: EntryMask,
): Uint8Array {
  return joinMessages(fieldNumber, entries.map(entryEncoder(mask)));
}

const encodedEntries = new WeakMap<Entry, { readonly key: string; readonly bytes: Uint8Array }>();

const maskKey = (mask: EntryMask | undefined): string =>
  mask === undefined
    ? ''
    : EntryMaskSchema.fields
        .map(({ localName }) => (mask[localName as keyof EntryMask] ? 1 : 0))
        .join('');

function dnsNamesFromProto(names: readonly string[]): readonly string[] {
  for (const name of names) prefixed('invalid DNS name', () => checkDnsName(name));
  return names;
}

/** Without duplicates, as the datastore links each bundle once. */
function trustDomainsFromProto(names: readonly string[]): readonly TrustDomain[] {
  const trustDomains = names.map((name) =>
    prefixed('invalid federated trust domain', () => TrustDomain.parse(name)),
  );
  return [...new Map(trustDomains.map((trustDomain) => [trustDomain.name, trustDomain])).values()];
}

function hintFromProto(hint: string): string {
  if (Buffer.byteLength(hint) > MAX_HINT_BYTES) {
    throw new Fault('invalid', `hint is too long, max length is ${MAX_HINT_BYTES} characters`);
  }
  return hint;
}

const attributesFromProto = (
  attributes: AdditionalAttributes | undefined,
): AdditionalAttributes | undefined =>
  attributes && {
    disableX509SvidPrefetch: attributes.disableX509SvidPrefetch,
    jwtSvidIncludeJti: attributes.jwtSvidIncludeJti,
  };

/** Attributes that are all off read back as absent. */
function attributesToProto(attributes: AdditionalAttributes | undefined) {
  if (!attributes?.disableX509SvidPrefetch && !attributes?.jwtSvidIncludeJti) return {};
  return { additionalAttributes: attributesFromProto(attributes) };
}
