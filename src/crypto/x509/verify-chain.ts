import { Fault, reasonOf } from '../../base/fault.ts';
import { goQuote } from '../../base/go-quote.ts';
import { checkSignature } from './algorithms.ts';
import type { Certificate } from './certificate.ts';
import { extendedKeyUsages } from './extensions.ts';
import { readNameFields } from './name.ts';
import {
  type ComparisonBudget,
  checkNameConstraints,
  comparisonBudget,
} from './name-constraints.ts';

export type ChainRequest = {
  readonly leaf: Certificate;
  /** In any order; those that are not needed are not looked at. */
  readonly intermediates: readonly Certificate[];
  /** Trust anchors, self-signed or not. */
  readonly roots: readonly Certificate[];
  /** Unix seconds. */
  readonly at: number;
  /** OIDs of which the whole chain must allow one; undefined: any use. */
  readonly extendedKeyUsage?: readonly string[] | undefined;
};

/** A hostile set of intermediates must not buy more work than this (Go's limit). */
const MAX_SIGNATURE_CHECKS = 100;

/** The same for looking through them. */
const MAX_INTERMEDIATES = 1000;

type Chain = readonly Certificate[];

type Search = ChainRequest & {
  /** Whether all chains are wanted, or any. */
  readonly all: boolean;
  readonly found: Chain[];
  /** How many signatures may still be checked. */
  signaturesLeft: number;
  readonly comparisons: ComparisonBudget;
};

/** Why no path was found: what stopped the last candidate, and the first one to blame. */
type DeadEnd = {
  reason: unknown;
  hint?: { readonly reason: string; readonly candidate: Certificate };
};

/**
 * Finds a path from the leaf to a root and checks it (RFC 5280 §6.1, as Go's `Certificate.Verify` does without a host
 * name): names, signatures, validity, CA flag, path length, keyCertSign, name constraints, extended key usage, nothing
 * critical that we do not know. Returns leaf…root. Throws 'invalid' in Go's words. Revocation is not looked at.
 */
export async function verifyChain(request: ChainRequest): Promise<readonly Certificate[]> {
  const [chain] = await findChains(request, false);
  return chain;
}

/** All such paths, as many as the limit on signature checks lets be found: one at least. */
export const verifyChains = (request: ChainRequest): Promise<readonly (readonly Certificate[])[]> =>
  findChains(request, true);

async function findChains(request: ChainRequest, all: boolean): Promise<[Chain, ...Chain[]]> {
  const { leaf, roots } = request;
  if (request.intermediates.length > MAX_INTERMEDIATES) {
    throw new Fault('invalid', 'x509: too many intermediate certificates');
  }
  const search: Search = {
    ...request,
    all,
    found: [],
    signaturesLeft: MAX_SIGNATURE_CHECKS,
    comparisons: comparisonBudget(),
  };
  checkCertificate(search, leaf, 'leaf', []);
  const isAnchor = roots.some((root) => Buffer.compare(root.der, leaf.der) === 0);
  if (isAnchor && allowsUse([leaf], request.extendedKeyUsage)) return [[leaf]];
  const end: DeadEnd = { reason: undefined };
  if (!isAnchor) {
    await extend(search, [leaf], end).catch((error: unknown) => {
      if (search.found.length === 0) throw error;
    });
  }
  const [first, ...others] = search.found;
  if (first !== undefined) return [first, ...others];
  throw end.reason ?? (isAnchor ? incompatibleUsage() : unknownAuthority(end));
}

/** Depth first, roots before intermediates. Answers whether the search is over. */
async function extend(search: Search, chain: Chain, end: DeadEnd): Promise<boolean> {
  for (const root of candidates(search.roots, chain)) {
    if (!(await accepts(search, root, 'root', chain, end))) continue;
    const whole = [...chain, root];
    if (allowsUse(whole, search.extendedKeyUsage)) {
      search.found.push(whole);
      if (!search.all) return true;
    } else end.reason = incompatibleUsage();
  }
  for (const intermediate of candidates(search.intermediates, chain)) {
    if (!(await accepts(search, intermediate, 'intermediate', chain, end))) continue;
    if (await extend(search, [...chain, intermediate], end)) return true;
  }
  return false;
}

/** Those that may have issued the last of the chain and are not in it, with the key that it names first. */
function candidates(pool: readonly Certificate[], chain: readonly Certificate[]): Certificate[] {
  const child = lastOf(chain);
  const fitting = pool.filter(
    (candidate) =>
      equal(candidate.subject, child.issuer) && !chain.some((other) => isSame(other, candidate)),
  );
  const named = ({ subjectKeyId }: Certificate) =>
    Number(equal(subjectKeyId ?? NO_BYTES, child.authorityKeyId ?? NO_BYTES));
  return fitting.length > 1 ? fitting.toSorted((a, b) => named(b) - named(a)) : fitting;
}

async function accepts(
  search: Search,
  candidate: Certificate,
  role: 'root' | 'intermediate',
  chain: readonly Certificate[],
  end: DeadEnd,
): Promise<boolean> {
  if (--search.signaturesLeft < 0) {
    throw new Fault(
      'invalid',
      'x509: signature check attempts limit reached while verifying certificate chain',
    );
  }
  try {
    await checkIssuedBy(lastOf(chain), candidate);
  } catch (error) {
    end.hint ??= { reason: reasonOf(error), candidate };
    return false;
  }
  try {
    checkCertificate(search, candidate, role, chain);
    end.reason = undefined;
    return true;
  } catch (error) {
    end.reason = error;
    end.hint ??= { reason: reasonOf(error), candidate };
    return false;
  }
}

/** Go's `CheckSignatureFrom`. Only certificates older than version 3 may sign without saying that they are a CA. */
async function checkIssuedBy(child: Certificate, parent: Certificate): Promise<void> {
  const isAuthority =
    parent.basicConstraints === undefined ? parent.version < 3 : parent.basicConstraints.ca;
  if (!isAuthority || (parent.keyUsage && !parent.keyUsage.has('keyCertSign'))) {
    throw new Fault(
      'invalid',
      'x509: invalid signature: parent certificate cannot sign this kind of certificate',
    );
  }
  if (parent.publicKey === undefined) {
    throw new Fault('invalid', 'x509: cannot verify signature: algorithm unimplemented');
  }
  const { tbs: message, signatureAlgorithm: algorithm, signature } = child;
  await checkSignature({ message, algorithm, signature }, parent.publicKey);
}

/** What one certificate must satisfy by itself and towards the chain below it. */
function checkCertificate(
  { at, comparisons }: Search,
  certificate: Certificate,
  role: 'leaf' | 'intermediate' | 'root',
  below: readonly Certificate[],
): void {
  if (certificate.unhandledCriticalExtensions.length > 0) {
    throw new Fault('invalid', 'x509: unhandled critical extension');
  }
  checkValidity(certificate, at);
  const { nameConstraints, basicConstraints } = certificate;
  if (nameConstraints !== undefined) {
    for (const one of below) checkNameConstraints(nameConstraints, one, comparisons);
  }
  if (role === 'intermediate' && basicConstraints?.ca !== true) {
    throw new Fault('invalid', 'x509: certificate is not authorized to sign other certificates');
  }
  if (below.length - 1 > (basicConstraints?.pathLength ?? Infinity)) {
    throw new Fault('invalid', 'x509: too many intermediates for path length constraint');
  }
}

function checkValidity({ notBefore, notAfter }: Certificate, at: number): void {
  const refuse = (relation: string, bound: number) =>
    new Fault(
      'invalid',
      `x509: certificate has expired or is not yet valid: current time ${rfc3339(at)} is ${relation} ${rfc3339(bound)}`,
    );
  if (at < notBefore) throw refuse('before', notBefore);
  if (at > notAfter) throw refuse('after', notAfter);
}

/** RFC 5280 §4.2.1.12, nested as Go has it: what an authority does not allow, nothing below it can be used for. */
function allowsUse(chain: readonly Certificate[], wanted: readonly string[] | undefined): boolean {
  if (wanted === undefined || wanted.includes(extendedKeyUsages.any)) return true;
  return wanted.some((purpose) =>
    chain.every(
      ({ extendedKeyUsage: allowed }) =>
        allowed === undefined ||
        allowed.includes(extendedKeyUsages.any) ||
        allowed.includes(purpose),
    ),
  );
}

const incompatibleUsage = (): Fault =>
  new Fault('invalid', 'x509: certificate specifies an incompatible key usage');

function unknownAuthority({ hint }: DeadEnd): Fault {
  const reason = 'x509: certificate signed by unknown authority';
  if (hint === undefined) return new Fault('invalid', reason);
  const { CN, O } = readNameFields(hint.candidate.subject);
  const name = CN?.[0] || O?.[0] || `serial:${hint.candidate.serialNumber}`;
  return new Fault(
    'invalid',
    `${reason} (possibly because of ${goQuote(hint.reason)} while trying to verify candidate authority certificate ${goQuote(name)})`,
  );
}

/** The same holder with the same key, however often it was certified: a path need not pass twice. */
const isSame = (a: Certificate, b: Certificate): boolean =>
  equal(a.subject, b.subject) && equal(a.spki, b.spki);

const equal = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && Buffer.compare(a, b) === 0;

const rfc3339 = (unixSeconds: number): string =>
  new Date(Math.floor(unixSeconds) * 1000).toISOString().replace('.000Z', 'Z');

const NO_BYTES = new Uint8Array();

function lastOf(chain: readonly Certificate[]): Certificate {
  const last = chain.at(-1);
  if (last === undefined) throw new Fault('internal', 'empty chain');
  return last;
}
