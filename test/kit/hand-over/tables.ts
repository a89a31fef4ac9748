import { DatabaseSync, type SQLOutputValue } from 'node:sqlite';
import { decodeEntries } from '../../../src/server/ca/journal.ts';
import { storedBundleFromBytes } from '../../../src/wire/stored-bundle.ts';

type Row = Record<string, SQLOutputValue>;
export type Tables = Record<string, readonly Record<string, unknown>[]>;

/**
 * All rows of a database, each value with its type; what differs from run to run (moments of writing, serial numbers,
 * keys, random IDs) is reduced to its form, so that two servers that did the same have the same.
 */
export function readTables(file: string): Tables {
  using database = new DatabaseSync(file, { readOnly: true });
  const names = database
    .prepare("select name from sqlite_master where type = 'table' and name not like 'sqlite_%'")
    .all()
    .map(({ name }) => String(name))
    .toSorted();
  return Object.fromEntries(
    names.map((name) => [
      name,
      database
        .prepare(`select * from ${name} order by 1, 2`)
        .all()
        .map((row) => reduceRow(name, row)),
    ]),
  );
}

const reduceRow = (table: string, row: Row) =>
  Object.fromEntries(
    Object.entries(row).map(([column, value]) => [column, reduceValue(table, column, value)]),
  );

function reduceValue(table: string, column: string, value: SQLOutputValue): unknown {
  if (table === 'join_tokens' && column === 'expiry') return typeof value;
  if (value instanceof Uint8Array) return (blobs[`${table}.${column}`] ?? hex)(value);
  if (typeof value !== 'string') return value;
  const [form] = forms.find(([, pattern]) => pattern.test(value)) ?? [];
  return form ?? value;
}

/** A moment as SPIRE's driver writes it, a serial number, a random ID, a key's ID. */
const forms: readonly (readonly [form: string, pattern: RegExp])[] = [
  ['<moment>', /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{0,8}[1-9])?\+00:00$/],
  ['<serial>', /^\d{30,39}$/],
  ['<uuid>', /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/],
  ['<authority>', /^[0-9a-f]{40}$/],
  ['<release>', /^1\.16\.0(-dev-unk)?$/],
];

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

const blobs: Readonly<Record<string, (bytes: Uint8Array) => unknown>> = {
  'bundles.data': reduceBundle,
  'ca_journals.data': reduceJournal,
};

function reduceBundle(bytes: Uint8Array): unknown {
  const { trustDomain, x509Authorities, jwtAuthorities, witAuthorities, ...rest } =
    storedBundleFromBytes(bytes);
  const own = trustDomain.name === 'rich.test';
  return {
    trustDomain: trustDomain.name,
    ...rest,
    x509Authorities: x509Authorities.map(({ der, tainted }) => ({
      tainted,
      der: own ? '<certificate>' : hex(der),
    })),
    jwtAuthorities: jwtAuthorities.map(({ keyId, publicKey, expiresAt, ...key }) => ({
      ...key,
      ...(/^[A-Za-z0-9]{32}$/.test(keyId)
        ? { keyId: '<kid>' }
        : { keyId, publicKey: hex(publicKey), expiresAt }),
    })),
    witAuthorities: witAuthorities.length,
  };
}

/** The fields' presence is told by their lengths. */
function reduceJournal(bytes: Uint8Array): unknown {
  const { x509CAs, jwtKeys } = decodeEntries(bytes);
  return {
    x509CAs: x509CAs.map(({ slotId, status, authorityId, upstreamChain, certificate }) => ({
      slotId,
      status,
      authorityId: authorityId.length,
      upstreamChain: upstreamChain.length,
      certificate: certificate.length > 0,
    })),
    jwtKeys: jwtKeys.map(({ slotId, status, authorityId, kid, publicKey }) => ({
      slotId,
      status,
      authorityIdIsKid: authorityId === kid,
      publicKey: publicKey.length,
    })),
  };
}
