import { type Certificate, parseCertificate } from '../../crypto/x509/certificate.ts';
import type { Log } from '../../ops/log.ts';
import type { Bundle } from '../../spiffe/bundle.ts';
import { subjectKeyIdText } from '../../spiffe/signed-by-any.ts';

/** Authorities that the server has newly called tainted, or has revoked: nothing they signed may be used any longer. */
export type NewTaints = {
  /** Certificates of X.509 authorities; empty: none. */
  readonly x509: readonly Certificate[];
  /** Key IDs of JWT authorities; empty: none. */
  readonly jwtKeyIds: ReadonlySet<string>;
};

/** Tells each tainted authority of the own trust domain once (`reference/agent.md` §3.5, §3.6). */
export class TaintedAuthorities {
  readonly #log: Log;
  readonly #told = new Set<string>();

  constructor(log: Log) {
    this.#log = log;
  }

  /**
   * What is to be replaced now that `bundle` follows `former`. An authority may be tainted and revoked between two
   * looks: one that has gone, though it had not expired at that moment (Unix seconds), counts as tainted.
   */
  findNew(bundle: Bundle, former: Bundle, atUnixSeconds: number): NewTaints {
    const x509 = this.#newX509(bundle);
    const jwtKeyIds = bundle.jwtAuthorities
      .filter(({ tainted, keyId }) => tainted && this.#isNews(`jwt ${keyId}`))
      .map(({ keyId }) => keyId);
    if (x509.length > 0) {
      this.#log.debug('New tainted X.509 authorities found', {
        subject_key_ids: x509.map(subjectKeyIdText).join(','),
      });
    }
    if (jwtKeyIds.length > 0) {
      this.#log.debug('New tainted JWT authorities found', {
        jwt_authority_key_ids: jwtKeyIds.join(','),
      });
    }
    const gone = this.#revokedUnseen(bundle, former, atUnixSeconds);
    return {
      x509: [...x509, ...gone.x509],
      jwtKeyIds: new Set([...jwtKeyIds, ...gone.jwtKeyIds]),
    };
  }

  #newX509({ x509Authorities }: Bundle): Certificate[] {
    return x509Authorities
      .filter(({ tainted }) => tainted)
      .map(({ der }) => parseCertificate(der))
      .filter((certificate) => this.#isNews(`x509 ${subjectKeyIdText(certificate)}`));
  }

  /** A bundle that is no newer, from a server that lags behind, lacks what is only not known there yet. */
  #revokedUnseen(bundle: Bundle, former: Bundle, atUnixSeconds: number): NewTaints {
    if (bundle.sequenceNumber <= former.sequenceNumber) return { x509: [], jwtKeyIds: new Set() };
    const x509 = former.x509Authorities
      .filter(({ der }) => !bundle.x509Authorities.some((kept) => sameBytes(kept.der, der)))
      .map(({ der }) => parseCertificate(der))
      .filter(({ notAfter }) => notAfter > atUnixSeconds)
      .filter((certificate) => this.#isNews(`x509 ${subjectKeyIdText(certificate)}`));
    const jwtKeyIds = former.jwtAuthorities
      .filter(({ keyId }) => !bundle.jwtAuthorities.some((kept) => kept.keyId === keyId))
      .filter(({ expiresAt }) => expiresAt === 0 || expiresAt > atUnixSeconds)
      .map(({ keyId }) => keyId)
      .filter((keyId) => this.#isNews(`jwt ${keyId}`));
    if (x509.length + jwtKeyIds.length > 0) {
      this.#log.info('Authorities were revoked that had not been seen tainted', {
        subject_key_ids: x509.map(subjectKeyIdText).join(','),
        jwt_authority_key_ids: jwtKeyIds.join(','),
      });
    }
    return { x509, jwtKeyIds: new Set(jwtKeyIds) };
  }

  #isNews(authority: string): boolean {
    if (this.#told.has(authority)) return false;
    this.#told.add(authority);
    return true;
  }
}

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
