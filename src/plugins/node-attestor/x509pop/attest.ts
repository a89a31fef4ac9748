import { createPublicKey, type KeyObject } from 'node:crypto';
import { unixSeconds } from '../../../base/clock.ts';
import { Fault, reasonOf } from '../../../base/fault.ts';
import {
  type Certificate,
  parseCertificate,
  parseCertificates,
} from '../../../crypto/x509/certificate.ts';
import { verifyChains } from '../../../crypto/x509/verify-chain.ts';
import type { SpiffeId } from '../../../spiffe/spiffe-id.ts';
import { agentIdOfSuffix } from '../agent-id.ts';
import type { ServerNodeAttestorEnv } from '../builtins.ts';
import type { AttestationConversation, NodeAttestation } from '../contract.ts';
import { readPayload } from './messages.ts';
import { createChallenge, fingerprint } from './proof.ts';
import { selectorValues } from './selectors.ts';
import type { Mode, ServerSettings } from './server-settings.ts';
import { verifyClientIp } from './verify-client-ip.ts';

export const NAME = 'x509pop';

export type AttestDeps = Pick<
  ServerNodeAttestorEnv,
  'clock' | 'log' | 'trustDomain' | 'x509Authorities'
>;

/** Verifies the chain, then that the agent has the leaf's key (`reference/node-attestation.md` §4.4, in its order). */
export async function attest(
  deps: AttestDeps,
  settings: ServerSettings,
  payload: Uint8Array,
  conversation: AttestationConversation,
): Promise<NodeAttestation> {
  const { leaf, intermediates } = readChain(payload, settings);
  const roots = rootsOf(settings.mode, deps);
  const authorities = await verifiedAuthorities(leaf, intermediates, roots, deps);
  if (settings.verifyClientIp) verifyClientIp(leaf.der, conversation.clientIp);
  await proveKey(leaf, conversation);
  return {
    agentId: agentId(leaf, settings.mode, deps),
    selectorValues: selectorValues(leaf, authorities, deps.trustDomain, deps.log),
    canReattest: true,
  };
}

function readChain(payload: Uint8Array, { maxIntermediates, maxRsaKeySize }: ServerSettings) {
  if (payload.length === 0) throw new Fault('invalid', 'missing attestation payload');
  const [leafDer, ...others] = attempt('failed to unmarshal data', () => readPayload(payload));
  if (leafDer === undefined) throw new Fault('invalid', 'no certificate to attest');
  if (others.length > maxIntermediates) {
    throw new Fault('invalid', 'too many intermediate certificates');
  }
  const leaf = readCertificate('leaf certificate', leafDer, maxRsaKeySize);
  const intermediates = others.map((der, index) =>
    readCertificate(`intermediate certificate ${index}`, der, maxRsaKeySize),
  );
  return { leaf, intermediates };
}

function readCertificate(what: string, der: Uint8Array, maxRsaKeySize: number): Certificate {
  const certificate = attempt(`unable to parse ${what}`, () => parseCertificate(der));
  const { publicKey } = certificate;
  if (publicKey?.kind === 'rsa' && publicKey.bits > maxRsaKeySize) {
    throw new Fault('invalid', `${what} key size too large`);
  }
  return certificate;
}

function rootsOf(mode: Mode, { x509Authorities, log }: AttestDeps): readonly Certificate[] {
  if (mode.kind === 'external_pki') return mode.roots;
  try {
    const roots = x509Authorities().flatMap((der) => parseCertificates(der));
    if (roots.length === 0) log.warn('No trust bundle retrieved from SPIRE');
    return roots;
  } catch (error) {
    throw new Fault('internal', `failed to get trust bundle: ${reasonOf(error)}`, { cause: error });
  }
}

/** Every certificate above the leaf that stands in some valid chain, each once. Throws 'denied' if there is none. */
async function verifiedAuthorities(
  leaf: Certificate,
  intermediates: readonly Certificate[],
  roots: readonly Certificate[],
  { clock }: AttestDeps,
): Promise<readonly Certificate[]> {
  const request = { leaf, intermediates, roots, at: unixSeconds(clock) };
  const chains = await verifyChains(request).catch((error: unknown) => {
    throw new Fault('denied', `certificate verification failed: ${reasonOf(error)}`, {
      cause: error,
    });
  });
  const above = chains.flatMap((chain) => chain.slice(1));
  return [...new Map(above.map((one) => [fingerprint(one.der), one])).values()];
}

async function proveKey(leaf: Certificate, conversation: AttestationConversation): Promise<void> {
  if (leaf.keyUsage?.has('digitalSignature') !== true) {
    throw new Fault(
      'internal',
      'unable to generate challenge: certificate not intended for digital signature use',
    );
  }
  const proof = attempt(
    'unable to generate challenge',
    () => createChallenge(publicKeyOf(leaf)),
    'internal',
  );
  await proof.verify(await conversation.challenge(proof.bytes));
}

const publicKeyOf = ({ spki }: Certificate): KeyObject =>
  createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });

function agentId(leaf: Certificate, mode: Mode, { trustDomain }: AttestDeps): SpiffeId {
  const suffix =
    mode.kind === 'spiffe' ? exchangedPath(leaf.uris, mode.prefix) : fingerprint(leaf.der);
  return attempt(
    'failed to make spiffe id',
    () => agentIdOfSuffix(trustDomain, `/${NAME}/${suffix}`),
    'internal',
  );
}

/** The path of the leaf's SPIFFE ID without the prefix. Its trust domain is not looked at: the chain was. */
function exchangedPath(uris: readonly string[], prefix: string): string {
  const [, path] = uris.map((uri) => /^spiffe:\/\/[^/?#]*([^?#]*)/i.exec(uri)).find(Boolean) ?? [];
  if (path === undefined) throw new Fault('denied', 'valid SVID x509 cert not found');
  if (!path.startsWith(prefix)) throw new Fault('denied', 'x509 cert doesnt match SVID prefix');
  return path.slice(prefix.length);
}

function attempt<T>(prefix: string, action: () => T, kind: 'invalid' | 'internal' = 'invalid'): T {
  try {
    return action();
  } catch (error) {
    throw new Fault(kind, `${prefix}: ${reasonOf(error)}`, { cause: error });
  }
}
