import { type Clock, unixSeconds } from '../base/clock.ts';
import { Fault, reasonOf } from '../base/fault.ts';
import { readPem, writePem } from '../crypto/pem.ts';
import type { Signer } from '../crypto/signer.ts';
import { parseCertificate } from '../crypto/x509/certificate.ts';
import type { Log } from '../ops/log.ts';

/** A chain and its key, in PEM. */
export type CertificatePair = { readonly cert: string; readonly key: string };

/** What a TLS client must be able to verify. */
export type CertificateKind = 'ecdsa' | 'rsa';

export type AcmeKey = Signer & { toPkcs8?(): Uint8Array };

export type AcmeCertificatesDeps = {
  readonly domain: string;
  /** The key that the kind's certificate is for; the same each time. */
  readonly key: (kind: CertificateKind) => Promise<AcmeKey>;
  /** Keeps chains, which are no secrets, over a restart. */
  readonly cache: ChainCache;
  /** Gets a new certificate; resolves with its chain in PEM. */
  readonly order: (key: Signer, signal: AbortSignal) => Promise<string>;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  /** Called when there is a new certificate. */
  readonly onChange: () => void;
};

export type ChainCache = {
  read(kind: CertificateKind): Promise<string | undefined>;
  write(kind: CertificateKind, chain: string): Promise<void>;
};

const SECOND = 1000;
const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** How long before its end a certificate is renewed; of one with a short life, a third of it. */
const RENEW_BEFORE_SECONDS = 30 * DAY;
/** So that not all servers renew at once. */
const RENEW_JITTER_SECONDS = HOUR;
/** A failed first order is not tried again at each client's call. */
const FAILURE_SECONDS = MINUTE;

type Held = {
  readonly pair: CertificatePair;
  readonly notBefore: number;
  readonly notAfter: number;
};

/** One domain's certificates, each obtained when it is first needed and renewed in time (`reference/server.md` §10.1). */
export class AcmeCertificates implements AsyncDisposable {
  readonly #kinds: Readonly<Record<CertificateKind, Certificate>>;
  readonly #stop = new AbortController();

  constructor(deps: AcmeCertificatesDeps) {
    this.#kinds = {
      ecdsa: new Certificate('ecdsa', deps, this.#stop.signal),
      rsa: new Certificate('rsa', deps, this.#stop.signal),
    };
  }

  /** Those at hand; the preferred one first. */
  current(): readonly CertificatePair[] {
    return [this.#kinds.ecdsa, this.#kinds.rsa].flatMap(({ pair }) => pair ?? []);
  }

  /** Resolves when there is a valid one of that kind. Throws if there cannot be one now. */
  async ensure(kind: CertificateKind): Promise<void> {
    await this.#kinds[kind].ensure();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Fault('canceled', 'the server stops'));
    await Promise.all([this.#kinds.ecdsa.ended(), this.#kinds.rsa.ended()]);
  }
}

class Certificate {
  readonly #kind: CertificateKind;
  readonly #deps: AcmeCertificatesDeps;
  readonly #signal: AbortSignal;
  #held: Held | undefined;
  #obtaining: Promise<void> | undefined;
  #failure: { readonly error: unknown; readonly until: number } | undefined;
  #renewing: Promise<void> | undefined;

  constructor(kind: CertificateKind, deps: AcmeCertificatesDeps, signal: AbortSignal) {
    this.#kind = kind;
    this.#deps = deps;
    this.#signal = signal;
  }

  get pair(): CertificatePair | undefined {
    return this.#held?.pair;
  }

  async ensure(): Promise<void> {
    const now = unixSeconds(this.#deps.clock);
    if (this.#held !== undefined && now < this.#held.notAfter) return;
    if (this.#failure !== undefined && now < this.#failure.until) throw this.#failure.error;
    this.#obtaining ??= this.#obtain().finally(() => {
      this.#obtaining = undefined;
    });
    await this.#obtaining;
  }

  async ended(): Promise<void> {
    await Promise.allSettled([this.#obtaining, this.#renewing]);
  }

  async #obtain(): Promise<void> {
    const { log, clock } = this.#deps;
    try {
      const cached = await this.#cached();
      if (cached === undefined) await this.#order();
      else this.#hold(cached);
      this.#failure = undefined;
    } catch (error) {
      this.#signal.throwIfAborted();
      log.error('Failed to obtain certificate', { error: reasonOf(error) });
      this.#failure = { error, until: unixSeconds(clock) + FAILURE_SECONDS };
      throw error;
    }
    this.#renewing ??= this.#keepRenewing();
  }

  /** What was obtained before the last restart, if it can still be used. */
  async #cached(): Promise<Held | undefined> {
    const { cache, key, log } = this.#deps;
    try {
      const chain = await cache.read(this.#kind);
      return chain === undefined ? undefined : this.#checked(chain, await key(this.#kind));
    } catch (error) {
      log.warn('Cached certificate cannot be used', { error: reasonOf(error) });
      return undefined;
    }
  }

  async #order(): Promise<void> {
    const { key: keyOf, order, cache, log, domain } = this.#deps;
    const key = await keyOf(this.#kind);
    const chain = await order(key, this.#signal);
    this.#hold(this.#checked(chain, key));
    log.info('Obtained certificate', { domain });
    await cache.write(this.#kind, chain).catch((error: unknown) => {
      log.error('Failed to keep certificate', { error: reasonOf(error) });
    });
  }

  #hold(held: Held): void {
    this.#held = held;
    this.#deps.onChange();
  }

  /** Throws unless it is for our key and name, and valid now: a server may say what it likes. */
  #checked(chain: string, key: AcmeKey): Held {
    const { domain, clock } = this.#deps;
    const certificates = readPem(chain).map(({ der }) => parseCertificate(der));
    const [leaf] = certificates;
    if (leaf === undefined) throw new Fault('invalid', 'no certificate');
    if (Buffer.compare(leaf.spki, key.publicKey.spki) !== 0) {
      throw new Fault('invalid', 'certificate is for another key');
    }
    if (!leaf.dnsNames.includes(domain)) {
      throw new Fault('invalid', 'certificate is for another name');
    }
    const { notBefore, notAfter } = leaf;
    const now = unixSeconds(clock);
    if (now < notBefore || now >= notAfter)
      throw new Fault('invalid', 'certificate is not valid now');
    const cert = certificates.map(({ der }) => writePem('CERTIFICATE', der)).join('');
    return { pair: { cert, key: privateKeyPem(key) }, notBefore, notAfter };
  }

  async #keepRenewing(): Promise<void> {
    const { clock, random, log } = this.#deps;
    let seconds = this.#secondsToRenewal();
    while (!this.#signal.aborted) {
      try {
        await clock.sleep(seconds * SECOND, this.#signal);
        await this.#order();
        seconds = this.#secondsToRenewal();
      } catch (error) {
        if (this.#signal.aborted) return;
        log.error('Failed to renew certificate', { error: reasonOf(error) });
        seconds = (RENEW_JITTER_SECONDS / 2) * (1 + random());
      }
    }
  }

  #secondsToRenewal(): number {
    const { clock, random } = this.#deps;
    if (this.#held === undefined) return 0;
    const { notBefore, notAfter } = this.#held;
    const before = Math.min(RENEW_BEFORE_SECONDS, (notAfter - notBefore) / 3);
    const jitter = Math.min(RENEW_JITTER_SECONDS, before / 10) * random();
    return Math.max(0, notAfter - before - jitter - unixSeconds(clock));
  }
}

/** OpenSSL makes the handshakes itself, and must have the key. */
export function privateKeyPem(key: AcmeKey): string {
  if (key.toPkcs8 === undefined) {
    throw new Fault(
      'failed-precondition',
      'the key manager keeps its keys to itself, but TLS needs the key of its certificate',
    );
  }
  return writePem('PRIVATE KEY', key.toPkcs8());
}
