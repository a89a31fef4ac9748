import { Fault } from '../../base/fault.ts';
import type { EntryField, NewEntry } from './contract.ts';

const MAX_ID_BYTES = 255;
const NOT_IN_ID = /[^A-Za-z0-9._-]/;

/** SPIRE's rules for a new entry, in its order and words (`reference/server.md` §8.3). Throws 'invalid'. */
export function checkNewEntry(entry: NewEntry): void {
  checkSelectors(entry);
  if (entry.storeSvid) {
    if (entry.additionalAttributes?.disableX509SvidPrefetch) {
      throw invalid('specifying cache behaviour is incompatible with storable SVIDs');
    }
    checkOneSelectorType(entry);
  }
  if (entry.id.length > MAX_ID_BYTES) throw invalidEntry('entry ID too long');
  if (NOT_IN_ID.test(entry.id)) throw invalidEntry('entry ID contains invalid characters');
  if (entry.x509SvidTtlSeconds < 0) throw invalidEntry('X509SvidTtl is not set');
  if (entry.jwtSvidTtlSeconds < 0) throw invalidEntry('JwtSvidTtl is not set');
}

/** The same rules for those fields that an update replaces; what is stored is not looked at. Throws 'invalid'. */
export function checkEntryUpdate(entry: NewEntry, fields: ReadonlySet<EntryField>): void {
  if (fields.has('selectors')) checkSelectors(entry);
  if (fields.has('storeSvid') && fields.has('selectors') && entry.storeSvid) {
    checkOneSelectorType(entry);
  }
  if (fields.has('x509SvidTtlSeconds') && entry.x509SvidTtlSeconds < 0) {
    throw invalidEntry('X509SvidTtl is not set');
  }
  if (fields.has('jwtSvidTtlSeconds') && entry.jwtSvidTtlSeconds < 0) {
    throw invalidEntry('JwtSvidTtl is not set');
  }
}

function checkSelectors({ selectors }: NewEntry): void {
  if (selectors.length === 0) throw invalidEntry('missing selector list');
}

function checkOneSelectorType({ selectors }: NewEntry): void {
  const [first] = selectors;
  if (selectors.some(({ type }) => type !== first?.type)) {
    throw invalidEntry('selector types must be the same when store SVID is enabled');
  }
}

const invalidEntry = (why: string): Fault => invalid(`invalid registration entry: ${why}`);
const invalid = (text: string): Fault => new Fault('invalid', `datastore-validation: ${text}`);
