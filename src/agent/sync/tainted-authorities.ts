import { type Certificate, parseCertificate } from '../../crypto/x509/certificate.ts';
import type { Log } from '../../ops/log.ts';
import type { Bundle } from '../../spiffe/bundle.ts';
import { subjectKeyIdText } from '../../spiffe/signed-by-any.ts';

/** Authorities that the server has newly called tainted: nothing they signed may be used any longer. */
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

  findNew(bundle: Bundle): NewTaints {
    const x509 = bundle.x509Authorities
      .filter(({ tainted }) => tainted)
      .map(({ der }) => parseCertificate(der))
      .filter((certificate) => this.#isNews(`x509 ${subjectKeyIdText(certificate)}`));
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
    return { x509, jwtKeyIds: new Set(jwtKeyIds) };
  }

  #isNews(authority: string): boolean {
    if (this.#told.has(authority)) return false;
    this.#told.add(authority);
    return true;
  }
}
