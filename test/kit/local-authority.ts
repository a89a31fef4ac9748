import assert from 'node:assert/strict';
import type { TrustDomainProcesses } from './trust-domain.ts';

export type AuthorityJson = {
  readonly authority_id: string;
  readonly expires_at: string;
  readonly upstream_authority_subject_key_id: string;
};
type Shown = {
  readonly active?: AuthorityJson;
  readonly prepared?: AuthorityJson;
  readonly old?: AuthorityJson;
};

export type BundleJson = {
  readonly x509_authorities: readonly { readonly asn1: string; readonly tainted: boolean }[];
  readonly jwt_authorities: readonly { readonly key_id: string; readonly tainted: boolean }[];
  readonly wit_authorities: readonly { readonly key_id: string }[];
};

/** The commands with which an operator rotates authorities of one kind. */
export class LocalAuthorityCli {
  readonly #domain: TrustDomainProcesses;
  readonly #kind: 'x509' | 'jwt';

  constructor(domain: TrustDomainProcesses, kind: 'x509' | 'jwt') {
    this.#domain = domain;
    this.#kind = kind;
  }

  show(): Promise<Shown> {
    return this.#run('show');
  }

  /** The ID of what it prepared. */
  async prepare(): Promise<string> {
    const { prepared_authority: prepared } = await this.#run<{
      prepared_authority?: AuthorityJson;
    }>('prepare');
    return prepared?.authority_id ?? assert.fail('nothing was prepared');
  }

  async change(verb: 'activate' | 'taint' | 'revoke', authorityId: string): Promise<void> {
    await this.#run(verb, '-authorityID', authorityId);
  }

  async #run<T>(...words: readonly string[]): Promise<T> {
    const outcome = await this.#domain.runServer(
      'localauthority',
      this.#kind,
      ...words,
      '-output',
      'json',
    );
    return JSON.parse(outcome.stdout) as T;
  }
}

export async function bundleJson(domain: TrustDomainProcesses): Promise<BundleJson> {
  const { stdout } = await domain.runServer('bundle', 'show', '-output', 'json');
  return JSON.parse(stdout) as BundleJson;
}
