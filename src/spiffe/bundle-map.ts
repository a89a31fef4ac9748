import { Fault, reasonOf } from '../base/fault.ts';
import type { Bundle } from './bundle.ts';
import { spiffeBundleOf, writeBundleDocument } from './bundle-document.ts';
import { type JsonRecord, parseJwkDocument } from './jwk-set.ts';
import { TrustDomain } from './trust-domain.ts';

/** Bundles of several trust domains (Trust Domain and Bundle §5). Refresh hints inside mean nothing. Throws 'invalid'. */
export function readBundleMap(json: string | Uint8Array): readonly Bundle[] {
  const documents = record('trust_domains', parse(json)['trust_domains']);
  const bundles = Object.entries(documents).map(([name, document]) => ({
    ...spiffeBundleOf(TrustDomain.parse(name), record(name, document)),
    refreshHintSeconds: 0,
  }));
  checkUnique(bundles);
  return bundles;
}

/** Refresh hints are left out. Throws 'invalid' for two bundles of one trust domain. */
export function writeBundleMap(bundles: readonly Bundle[]): string {
  checkUnique(bundles);
  const members = bundles.map((bundle) => {
    const document = writeBundleDocument(bundle, { refreshHintSeconds: 0, noKeys: '[]' });
    return `"${bundle.trustDomain.name}": ${document.replaceAll('\n', '\n        ')}`;
  });
  const content = members.map((member) => `\n        ${member}`).join(',');
  return `{\n    "trust_domains": {${content}${content === '' ? '' : '\n    '}}\n}`;
}

function checkUnique(bundles: readonly Bundle[]): void {
  const names = bundles.map(({ trustDomain }) => trustDomain.name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) {
    throw new Fault('invalid', `trust domain "${twice}" occurs twice in the bundle map`);
  }
}

function parse(json: string | Uint8Array): JsonRecord {
  try {
    return parseJwkDocument(json);
  } catch (error) {
    throw new Fault('invalid', `unable to parse bundle map: ${reasonOf(error)}`, { cause: error });
  }
}

function record(name: string, value: unknown): JsonRecord {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as JsonRecord;
  }
  throw new Fault('invalid', `unable to parse bundle map: "${name}" is not an object`);
}
