import { createHash } from 'node:crypto';
import { Fault } from '../base/fault.ts';
import { base64url } from '../crypto/jose/base64url.ts';
import { jwkFromPublicKey } from '../crypto/jose/jwk.ts';
import { jwsAlgorithmFor, readJsonObject, signJws } from '../crypto/jose/jws.ts';
import type { Signer } from '../crypto/signer.ts';
import type { AcmeAnswer, AcmeHttp } from './acme-http.ts';

/** What an ACME server is, and where its resources are (RFC 8555 §7.1.1). */
export type Directory = {
  readonly newNonce: string;
  readonly newAccount: string;
  readonly newOrder: string;
  /** Where the terms stand that an account must agree to; undefined: there are none. */
  readonly termsOfService: string | undefined;
};

export type JsonObject = Readonly<Record<string, unknown>>;

/** An answer that is an object, and where that object is to be found. */
export type Resource = {
  readonly url: string;
  readonly object: JsonObject;
  readonly retryAfterSeconds: number | undefined;
};

/** A server may call a nonce bad for no fault of ours (RFC 8555 §6.5). */
const MAX_NONCE_TRIES = 10;

/** Signed requests to one ACME server by one account key (RFC 8555 §6.2). */
export class AcmeSession {
  readonly #directoryUrl: string;
  readonly #key: Signer;
  readonly #http: AcmeHttp;
  #directory: Directory | undefined;
  /** The account's URL; until there is one, requests carry the key itself. */
  #account: string | undefined;
  #nonce: string | undefined;

  constructor(directoryUrl: string, key: Signer, http: AcmeHttp) {
    this.#directoryUrl = directoryUrl;
    this.#key = key;
    this.#http = http;
  }

  async directory(signal: AbortSignal): Promise<Directory> {
    this.#directory ??= await this.#readDirectory(signal);
    return this.#directory;
  }

  set account(url: string) {
    this.#account = url;
  }

  /** What a challenge's answer must hold (RFC 8555 §8.1). */
  keyAuthorization(token: string): string {
    // RFC 7638 §3: the members in alphabetical order.
    const jwk = Object.entries(jwkFromPublicKey(this.#key.publicKey.spki));
    const canonical = JSON.stringify(
      Object.fromEntries(jwk.toSorted(([a], [b]) => (a < b ? -1 : 1))),
    );
    return `${token}.${base64url(createHash('sha256').update(canonical).digest())}`;
  }

  /** Asks for a resource, or sends it something. Throws what the server says is wrong. */
  async post(url: string, payload: JsonObject | undefined, signal: AbortSignal): Promise<Resource> {
    const answer = await this.#post(url, payload, signal);
    return {
      url: answer.headers.location ?? url,
      object: readJsonObject(answer.body, 'answer of the ACME server'),
      retryAfterSeconds: retryAfter(answer),
    };
  }

  /** A resource that is no JSON. */
  async postForText(url: string, signal: AbortSignal): Promise<string> {
    const { body } = await this.#post(url, undefined, signal);
    return Buffer.from(body).toString('latin1');
  }

  async #post(
    url: string,
    payload: JsonObject | undefined,
    signal: AbortSignal,
  ): Promise<AcmeAnswer> {
    for (let tries = 1; ; tries++) {
      const body = await this.#signed(url, payload, await this.#takeNonce(signal));
      const answer = await this.#http({ method: 'POST', url, body, signal });
      this.#keepNonce(answer);
      if (answer.status < 400) return answer;
      const problem = problemOf(answer);
      if (problem.type !== BAD_NONCE || tries === MAX_NONCE_TRIES) throw problem.fault;
    }
  }

  /** POST-as-GET where there is no payload (RFC 8555 §6.3). */
  async #signed(url: string, payload: JsonObject | undefined, nonce: string): Promise<string> {
    const { publicKey } = this.#key;
    const who =
      this.#account === undefined
        ? { jwk: jwkFromPublicKey(publicKey.spki) }
        : { kid: this.#account };
    const jws = await signJws(
      { header: { ...who, nonce, url }, payload: payload ?? new Uint8Array() },
      this.#key,
      jwsAlgorithmFor(publicKey),
    );
    const [header, content, signature] = jws.split('.');
    return JSON.stringify({ protected: header, payload: content, signature });
  }

  async #takeNonce(signal: AbortSignal): Promise<string> {
    const kept = this.#nonce;
    this.#nonce = undefined;
    if (kept !== undefined) return kept;
    const { newNonce: url } = await this.directory(signal);
    this.#keepNonce(await this.#http({ method: 'HEAD', url, signal }));
    const fresh = this.#nonce;
    this.#nonce = undefined;
    if (fresh === undefined) throw new Fault('unavailable', 'the ACME server gives no nonce');
    return fresh;
  }

  #keepNonce({ headers }: AcmeAnswer): void {
    const nonce = headers['replay-nonce'];
    if (typeof nonce === 'string' && /^[A-Za-z0-9_-]{1,1024}$/.test(nonce)) this.#nonce = nonce;
  }

  async #readDirectory(signal: AbortSignal): Promise<Directory> {
    const answer = await this.#http({ method: 'GET', url: this.#directoryUrl, signal });
    if (answer.status !== 200) throw problemOf(answer).fault;
    const object = readJsonObject(answer.body, 'ACME directory');
    const meta = (object['meta'] ?? {}) as JsonObject;
    return {
      newNonce: textOf(object, 'newNonce'),
      newAccount: textOf(object, 'newAccount'),
      newOrder: textOf(object, 'newOrder'),
      termsOfService:
        meta['termsOfService'] === undefined ? undefined : textOf(meta, 'termsOfService'),
    };
  }
}

/** A member that must be there. Throws 'invalid'. */
export function textOf(object: JsonObject, name: string): string {
  const value = object[name];
  if (typeof value !== 'string' || value === '') throw missing(name);
  return value;
}

/** Objects that must be there. Throws 'invalid'. */
export const objectsOf = (object: JsonObject, name: string): readonly JsonObject[] =>
  listOf(object, name).map((value) => {
    if (typeof value !== 'object' || value === null) throw missing(name);
    return value as JsonObject;
  });

/** Texts that must be there. Throws 'invalid'. */
export const textsOf = (object: JsonObject, name: string): readonly string[] =>
  listOf(object, name).map((value) => {
    if (typeof value !== 'string') throw missing(name);
    return value;
  });

function listOf(object: JsonObject, name: string): readonly unknown[] {
  const value = object[name];
  if (!Array.isArray(value) || value.length === 0) throw missing(name);
  return value;
}

const missing = (name: string): Fault =>
  new Fault('invalid', `the ACME server's answer has no ${name}`);

const BAD_NONCE = 'urn:ietf:params:acme:error:badNonce';

/** A problem document (RFC 8555 §6.7). */
function problemOf({ status, body }: AcmeAnswer): { type: string; fault: Fault } {
  try {
    const problem = readJsonObject(body, 'problem');
    const type = textOf(problem, 'type');
    return { type, fault: new Fault('unavailable', problemText(problem, status)) };
  } catch {
    return { type: '', fault: new Fault('unavailable', `ACME server answers ${status}`) };
  }
}

/** `403 urn:…:unauthorized: why`, as Go's client says it. */
export const problemText = (problem: JsonObject, status?: number): string =>
  [
    status === undefined ? '' : `${status} `,
    typeof problem['type'] === 'string' ? problem['type'] : 'problem',
    typeof problem['detail'] === 'string' ? `: ${problem['detail']}` : '',
  ].join('');

function retryAfter({ headers }: AcmeAnswer): number | undefined {
  const seconds = Number(headers['retry-after']);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : undefined;
}
