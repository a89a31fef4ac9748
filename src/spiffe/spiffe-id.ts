import { Fault } from '../base/fault.ts';
import { TrustDomain } from './trust-domain.ts';

const SCHEME = 'spiffe://';
const NOT_IN_PATH_SEGMENT = /[^A-Za-z0-9._-]/;

/** A SPIFFE ID (SPIFFE-ID §2): a trust domain and a path, which is empty or starts with a slash. */
export class SpiffeId {
  readonly trustDomain: TrustDomain;
  readonly path: string;
  readonly #text: string;

  private constructor(trustDomain: TrustDomain, path: string) {
    this.trustDomain = trustDomain;
    this.path = path;
    this.#text = `${SCHEME}${trustDomain.name}${path}`;
  }

  /** Throws 'invalid' with the reference client's words; checks run in its order. */
  static parse(text: string): SpiffeId {
    if (text === '') throw new Fault('invalid', 'cannot be empty');
    if (!text.startsWith(SCHEME)) throw new Fault('invalid', 'scheme is missing or invalid');
    const slash = text.indexOf('/', SCHEME.length);
    const end = slash === -1 ? text.length : slash;
    const trustDomain = TrustDomain.parse(text.slice(SCHEME.length, end));
    return SpiffeId.of(trustDomain, text.slice(end));
  }

  /** Throws 'invalid' if the path is malformed; '' is the trust domain's own ID. */
  static of(trustDomain: TrustDomain, path: string): SpiffeId {
    checkPath(path);
    return new SpiffeId(trustDomain, path);
  }

  /** The ID of a server of that trust domain. */
  static server(trustDomain: TrustDomain): SpiffeId {
    return new SpiffeId(trustDomain, SERVER_PATH);
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
}

/** The path of every server's own ID. */
export const SERVER_PATH = '/spire/server';
/** Paths of agents start with this. */
export const AGENT_PATH_PREFIX = '/spire/agent/';

function checkPath(path: string): void {
  if (path === '') return;
  if (!path.startsWith('/')) throw new Fault('invalid', 'path must have a leading slash');
  const segments = path.slice(1).split('/');
  for (const [index, segment] of segments.entries()) {
    if (segment === '') {
      const last = index === segments.length - 1;
      throw new Fault(
        'invalid',
        last ? 'path cannot have a trailing slash' : 'path cannot contain empty segments',
      );
    }
    if (segment === '.' || segment === '..') {
      throw new Fault('invalid', 'path cannot contain dot segments');
    }
    if (NOT_IN_PATH_SEGMENT.test(segment)) {
      throw new Fault(
        'invalid',
        'path segment characters are limited to letters, numbers, dots, dashes, and underscores',
      );
    }
  }
}
