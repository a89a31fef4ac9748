import { randomBytes } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import { type Clock, unixSeconds } from '../../base/clock.ts';
import { wrapFault } from '../../base/fault.ts';
import type { KeyType } from '../../crypto/keys.ts';
import { readPublicKey } from '../../crypto/keys.ts';
import type { KeyManager } from '../../plugins/key-manager/contract.ts';
import type { Bundle, KeyAuthority } from '../../spiffe/bundle.ts';
import {
  JWTKeyEntrySchema,
  Status,
  WITKeyEntrySchema,
} from '../../wire/gen/private/server/journal/journal_pb.ts';
import type { SigningKey, SlotId } from './authority.ts';
import type { AuthorityKind } from './authority-kind.ts';

export type SigningKeyKindDeps = {
  readonly keyManager: Pick<KeyManager, 'generateKey' | 'getKey'>;
  /** When it resolves, whoever reads the bundle can verify what the key signs. */
  readonly publish: (key: KeyAuthority) => Promise<unknown>;
  readonly bundle: () => Bundle | undefined;
  readonly keyType: KeyType;
  readonly ttlSeconds: number;
  readonly clock: Pick<Clock, 'now'>;
};

/** What differs between the keys of JWT-SVIDs and those of WIT-SVIDs. */
const rows = {
  jwt: {
    name: 'JWT key',
    journalList: 'jwtKeys',
    schema: JWTKeyEntrySchema,
    keyManagerPrefix: 'JWT-Signer',
    inBundle: 'jwtAuthorities',
  },
  wit: {
    name: 'WIT key',
    journalList: 'witKeys',
    schema: WITKeyEntrySchema,
    keyManagerPrefix: 'WIT-Signer',
    inBundle: 'witAuthorities',
  },
} as const;

type Entry = {
  readonly kid: string;
  readonly publicKey: Uint8Array;
  readonly issuedAt: bigint;
  readonly notAfter: bigint;
};

export const createJwtKeyKind = (
  deps: SigningKeyKindDeps,
): AuthorityKind<SigningKey, 'jwtKeys'> => ({
  ...shared(deps, rows.jwt),
  name: rows.jwt.name,
  journalList: rows.jwt.journalList,
  toJournal: (slot, key) => create(rows.jwt.schema, journalFields(slot, key)),
});

export const createWitKeyKind = (
  deps: SigningKeyKindDeps,
): AuthorityKind<SigningKey, 'witKeys'> => ({
  ...shared(deps, rows.wit),
  name: rows.wit.name,
  journalList: rows.wit.journalList,
  toJournal: (slot, key) => create(rows.wit.schema, journalFields(slot, key)),
});

function shared(deps: SigningKeyKindDeps, row: (typeof rows)[keyof typeof rows]) {
  const keyManagerId = (slot: SlotId) => `${row.keyManagerPrefix}-${slot}`;
  return {
    validFrom: () => 0, // a key in a bundle has no beginning

    async prepare(slot: SlotId): Promise<SigningKey> {
      const signer = await deps.keyManager.generateKey(keyManagerId(slot), deps.keyType);
      const issuedAt = unixSeconds(deps.clock);
      const key = {
        authorityId: newKeyId(),
        issuedAt,
        notAfter: issuedAt + deps.ttlSeconds,
        signer,
      };
      await deps.publish(bundleMember(key));
      return key;
    },

    async fromJournal(slot: SlotId, entry: Entry): Promise<SigningKey | { unusable: string }> {
      const { spki } = decodePublicKey(entry.publicKey);
      const signer = await deps.keyManager.getKey(keyManagerId(slot));
      if (signer === undefined) return { unusable: 'no key manager key' };
      if (Buffer.compare(signer.publicKey.spki, spki) !== 0) {
        return { unusable: 'public key does not match key manager key' };
      }
      if (!deps.bundle()?.[row.inBundle].some(({ keyId }) => keyId === entry.kid)) {
        return { unusable: 'key is not in the bundle' };
      }
      return {
        authorityId: entry.kid,
        issuedAt: Number(entry.issuedAt),
        notAfter: Number(entry.notAfter),
        signer,
      };
    },

    logFields: () => ({ prepared: {}, activated: {} }),
  };
}

const journalFields = (slot: SlotId, key: SigningKey) => ({
  slotId: slot,
  issuedAt: BigInt(key.issuedAt),
  notAfter: BigInt(key.notAfter),
  kid: key.authorityId,
  publicKey: key.signer.publicKey.spki,
  status: Status.PREPARED,
  authorityId: key.authorityId,
});

const bundleMember = ({ signer, authorityId, notAfter }: SigningKey): KeyAuthority => ({
  publicKey: signer.publicKey.spki,
  keyId: authorityId,
  expiresAt: notAfter,
  tainted: false,
});

function decodePublicKey(spki: Uint8Array) {
  try {
    return readPublicKey(spki);
  } catch (error) {
    throw wrapFault('unable to parse public key', error, 'internal');
  }
}

const KEY_ID_LENGTH = 32;
const KEY_ID_CHARACTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';

/** Random, not derived from the key (`reference/server.md` §6.1). */
const newKeyId = (): string =>
  Array.from(randomBytes(KEY_ID_LENGTH), (byte) =>
    KEY_ID_CHARACTERS.charAt(byte % KEY_ID_CHARACTERS.length),
  ).join('');
