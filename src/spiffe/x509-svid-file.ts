import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { Fault, reasonOf } from '../base/fault.ts';
import { type PemBlock, readPem, writePem } from '../crypto/pem.ts';
import { type Certificate, parseCertificates } from '../crypto/x509/certificate.ts';
import type { SpiffeId } from './spiffe-id.ts';
import { x509SvidId } from './x509-svid.ts';

/** An X509-SVID with its key, as files and the Workload API carry it. */
export type X509Svid = {
  readonly id: SpiffeId;
  /** Leaf first. */
  readonly chain: readonly Certificate[];
  /** PKCS#8 DER. */
  readonly privateKey: Uint8Array;
};

/** From PEM; both may be the same text. Throws 'invalid' with the reference client's words. */
export function parseX509Svid(certificatesPem: string, privateKeyPem: string): X509Svid {
  const certificates = blocksOf(certificatesPem, 'CERTIFICATE', 'certificate');
  const chain = attempt('cannot parse PEM encoded certificate', () =>
    certificates.flatMap(({ der }) => parseCertificates(der)),
  );
  const [key] = blocksOf(privateKeyPem, 'PRIVATE KEY', 'private key');
  const privateKey = key && attempt('cannot parse PEM encoded private key', () => readKey(key.der));
  return checked(chain, privateKey);
}

/** From DER: certificates one after another, and PKCS#8. Throws 'invalid'. */
export function parseRawX509Svid(certificates: Uint8Array, privateKey: Uint8Array): X509Svid {
  const chain = attempt('cannot parse DER encoded certificate', () =>
    parseCertificates(certificates),
  );
  return checked(
    chain,
    attempt('cannot parse DER encoded private key', () => readKey(privateKey)),
  );
}

export const writeX509Svid = ({ chain, privateKey }: Pick<X509Svid, 'chain' | 'privateKey'>) => {
  if (chain.length === 0) throw refusal('no certificates to marshal');
  return {
    certificatesPem: chain.map(({ der }) => writePem('CERTIFICATE', der)).join(''),
    privateKeyPem: writePem('PRIVATE KEY', privateKey),
  };
};

function blocksOf(pem: string, type: string, what: string): readonly PemBlock[] {
  return attempt(`cannot parse PEM encoded ${what}`, () => {
    const blocks = readPem(pem);
    if (blocks.length === 0) throw new Fault('invalid', 'no PEM blocks found');
    return blocks.filter((block) => block.type === type);
  });
}

const readKey = (pkcs8: Uint8Array): KeyObject =>
  createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' });

function checked(chain: readonly Certificate[], privateKey: KeyObject | undefined): X509Svid {
  const id = attempt('certificate validation failed', () => checkChain(chain));
  if (privateKey === undefined) {
    throw refusal('private key validation failed: no private key found');
  }
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  if (Buffer.compare(spki, chain[0]?.spki ?? spki.subarray(0, 0)) !== 0) {
    throw refusal('private key validation failed: leaf certificate does not match private key');
  }
  return { id, chain, privateKey: privateKey.export({ format: 'der', type: 'pkcs8' }) };
}

function checkChain([leaf, ...signers]: readonly Certificate[]): SpiffeId {
  if (leaf === undefined) throw new Fault('invalid', 'no certificates found');
  const id = leafId(leaf);
  check('leaf certificate', leaf, leafRules);
  for (const signer of signers) check('signing certificate', signer, signerRules);
  return id;
}

function leafId(leaf: Certificate): SpiffeId {
  const id = attemptWith('cannot get leaf certificate SPIFFE ID', () => x509SvidId(leaf));
  if (id.path !== '') return id;
  throw new Fault('invalid', 'leaf certificate SPIFFE ID must have a non-root path');
}

type Rule = readonly [holds: (certificate: Certificate) => boolean, text: string];

const isCa = ({ basicConstraints }: Certificate) => basicConstraints?.ca === true;
const may = (usage: 'digitalSignature' | 'keyCertSign' | 'cRLSign') => (certificate: Certificate) =>
  certificate.keyUsage?.has(usage) === true;
const not = (rule: Rule[0]) => (certificate: Certificate) => !rule(certificate);

const leafRules: readonly Rule[] = [
  [not(isCa), 'must not have CA flag set to true'],
  [may('digitalSignature'), "must have 'digitalSignature' set as key usage"],
  [not(may('keyCertSign')), "must not have 'keyCertSign' set as key usage"],
  [not(may('cRLSign')), "must not have 'cRLSign' set as key usage"],
];

const signerRules: readonly Rule[] = [
  [isCa, 'must have CA flag set to true'],
  [may('keyCertSign'), "must have 'keyCertSign' set as key usage"],
];

function check(what: string, certificate: Certificate, rules: readonly Rule[]): void {
  const broken = rules.find(([holds]) => !holds(certificate));
  if (broken !== undefined) throw new Fault('invalid', `${what} ${broken[1]}`);
}

const attempt = <T>(prefix: string, action: () => T): T =>
  attemptWith(`x509svid: ${prefix}`, action);

function attemptWith<T>(prefix: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw new Fault('invalid', `${prefix}: ${reasonOf(error)}`, { cause: error });
  }
}

const refusal = (what: string): Fault => new Fault('invalid', `x509svid: ${what}`);
