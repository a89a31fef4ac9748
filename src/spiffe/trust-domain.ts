import { Fault } from '../base/fault.ts';
import { SpiffeId } from './spiffe-id.ts';

const NOT_IN_TRUST_DOMAIN = /[^a-z0-9._-]/;

/** The name of a trust domain (SPIFFE-ID §2.1): lower case, never empty. */
export class TrustDomain {
  readonly name: string;

  private constructor(name: string) {
    this.name = name;
  }

  /** A bare name, or a full SPIFFE ID whose trust domain is taken. Throws 'invalid'. */
  static parse(text: string): TrustDomain {
    if (text.includes(':/')) return SpiffeId.parse(text).trustDomain;
    if (text === '') throw new Fault('invalid', 'trust domain is missing');
    if (NOT_IN_TRUST_DOMAIN.test(text)) {
      throw new Fault(
        'invalid',
        'trust domain characters are limited to lowercase letters, numbers, dots, dashes, and underscores',
      );
    }
    return new TrustDomain(text);
  }

  /** `spiffe://<name>`, the form that bundles are stored and answered under. */
  get idString(): string {
    return `spiffe://${this.name}`;
  }

  /** The trust domain's own SPIFFE ID, which has no path. */
  get id(): SpiffeId {
    return SpiffeId.of(this, '');
  }

  equals(other: TrustDomain): boolean {
    return this.name === other.name;
  }

  toString(): string {
    return this.name;
  }
}
