import { checkPath, joinSegments } from './path.ts';
import { splitId, type TrustDomain } from './trust-domain.ts';

/** A SPIFFE ID (SPIFFE-ID §2): a trust domain and a path, which is empty or starts with a slash. */
export class SpiffeId {
  readonly trustDomain: TrustDomain;
  readonly path: string;
  readonly #text: string;

  private constructor(trustDomain: TrustDomain, path: string) {
    this.trustDomain = trustDomain;
    this.path = path;
    this.#text = `${trustDomain.idString}${path}`;
  }

  /** Throws 'invalid' with the reference client's words. */
  static parse(text: string): SpiffeId {
    const { trustDomain, path } = splitId(text);
    return new SpiffeId(trustDomain, path);
  }

  /** Throws 'invalid' if the path is malformed; '' is the trust domain's own ID. */
  static of(trustDomain: TrustDomain, path: string): SpiffeId {
    checkPath(path);
    return new SpiffeId(trustDomain, path);
  }

  /** Throws 'invalid' if a segment is malformed. */
  static ofSegments(trustDomain: TrustDomain, ...segments: readonly string[]): SpiffeId {
    return new SpiffeId(trustDomain, joinSegments(segments));
  }

  /** The ID of a server of that trust domain. */
  static server(trustDomain: TrustDomain): SpiffeId {
    return new SpiffeId(trustDomain, SERVER_PATH);
  }

  /** An ID below this one. Throws 'invalid'. */
  append(...segments: readonly string[]): SpiffeId {
    return new SpiffeId(this.trustDomain, `${this.path}${joinSegments(segments)}`);
  }

  /** The same with a path that starts with a slash. Throws 'invalid'. */
  appendPath(path: string): SpiffeId {
    checkPath(path);
    return new SpiffeId(this.trustDomain, `${this.path}${path}`);
  }

  memberOf(trustDomain: TrustDomain): boolean {
    return this.trustDomain.equals(trustDomain);
  }

  equals(other: SpiffeId): boolean {
    return this.#text === other.#text;
  }

  toString(): string {
    return this.#text;
  }

  toJSON(): string {
    return this.#text;
  }
}

/** The path of every server's own ID. */
export const SERVER_PATH = '/spire/server';
/** Paths of agents start with this. */
export const AGENT_PATH_PREFIX = '/spire/agent/';
