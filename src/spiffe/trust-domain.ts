import { Fault } from '../base/fault.ts';
import { checkPath } from './path.ts';

export const SCHEME = 'spiffe://';
const NOT_IN_TRUST_DOMAIN = /[^a-z0-9._-]/;

/** The name of a trust domain (SPIFFE-ID §2.1): lower case, never empty. */
export class TrustDomain {
  readonly name: string;

  private constructor(name: string) {
    this.name = name;
  }

  /** A bare name, or a full SPIFFE ID whose trust domain is taken. Throws 'invalid'. */
  static parse(text: string): TrustDomain {
    return text.includes(':/') ? splitId(text).trustDomain : TrustDomain.#named(text);
  }

  static #named(name: string): TrustDomain {
    if (name === '') throw new Fault('invalid', 'trust domain is missing');
    if (NOT_IN_TRUST_DOMAIN.test(name)) {
      throw new Fault(
        'invalid',
        'trust domain characters are limited to lowercase letters, numbers, dots, dashes, and underscores',
      );
    }
    return new TrustDomain(name);
  }

  /** `spiffe://<name>`, the form that bundles are stored and answered under. */
  get idString(): string {
    return `${SCHEME}${this.name}`;
  }

  equals(other: TrustDomain): boolean {
    return this.name === other.name;
  }

  toString(): string {
    return this.name;
  }

  toJSON(): string {
    return this.name;
  }
}

/**
 * The parts of a SPIFFE ID. Throws 'invalid' with the reference client's words; the checks run in its order: empty,
 * scheme, trust domain, path.
 */
export function splitId(text: string): { trustDomain: TrustDomain; path: string } {
  if (text === '') throw new Fault('invalid', 'cannot be empty');
  if (!text.startsWith(SCHEME)) throw new Fault('invalid', 'scheme is missing or invalid');
  const slash = text.indexOf('/', SCHEME.length);
  const end = slash === -1 ? text.length : slash;
  const trustDomain = TrustDomain.parse(text.slice(SCHEME.length, end));
  const path = text.slice(end);
  checkPath(path);
  return { trustDomain, path };
}
