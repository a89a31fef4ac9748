import type { Socket } from 'node:net';
import { join } from 'node:path';
import {
  createSecureContext,
  createServer,
  type SecureContext,
  type SecureContextOptions,
} from 'node:tls';
import {
  AcmeCertificates,
  type CertificateKind,
  type ChainCache,
  privateKeyPem,
} from '../../../acme/acme-certificates.ts';
import { acmeHttp } from '../../../acme/acme-http.ts';
import { AcmeSession } from '../../../acme/acme-session.ts';
import type { ClientHello } from '../../../acme/client-hello.ts';
import { orderCertificate } from '../../../acme/order-certificate.ts';
import { peekClientHello } from '../../../acme/peek-client-hello.ts';
import { supportsEcdsa } from '../../../acme/supports-ecdsa.ts';
import { ACME_TLS_PROTOCOL, challengeCertificate } from '../../../acme/tls-alpn-challenge.ts';
import { type Clock, unixSeconds } from '../../../base/clock.ts';
import { Fault } from '../../../base/fault.ts';
import { readFileBounded, writeFileAtomically } from '../../../base/files.ts';
import { goQuote } from '../../../base/go-quote.ts';
import { makeFolders } from '../../../base/make-folders.ts';
import type { KeyType } from '../../../crypto/keys.ts';
import { writePem } from '../../../crypto/pem.ts';
import type { Log } from '../../../ops/log.ts';
import { SPIRE_VERSION } from '../../../ops/version.ts';
import type { KeyManager, ManagedKey } from '../../../plugins/key-manager/contract.ts';
import type { AcmeConfig } from '../../config/federation-config.ts';
import { type EndpointIdentity, Listeners } from './endpoint-identity.ts';

export type AcmeIdentityDeps = {
  readonly config: AcmeConfig;
  readonly dataDir: string;
  readonly keyManager: Pick<KeyManager, 'getKey' | 'generateKey'>;
  /** Variables that name proxies. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
};

/** SPIRE's names for keys and files (`reference/server.md` §6.1, §10.1). */
const KEY_PREFIX = 'bundle-acme-';
const ACCOUNT = 'acme_account+key';
const CACHE_FOLDER = 'bundle-acme';
const suffixes = { ecdsa: '', rsa: '+rsa' } satisfies Record<CertificateKind, string>;
const keyTypes = { ecdsa: 'ec-p256', rsa: 'rsa-2048' } satisfies Record<CertificateKind, KeyType>;
const MAX_CHAIN_BYTES = 256 * 1024;

/**
 * Profile `https_web` with ACME: the certificate is ordered when the first client asks for the domain, and the server
 * that vouches for it looks at this very endpoint (tls-alpn-01, RFC 8737). Throws if the key manager cannot serve it.
 */
export async function acmeIdentity(deps: AcmeIdentityDeps): Promise<EndpointIdentity> {
  const { config, keyManager, clock } = deps;
  const { domainName: domain } = config;
  const log = deps.log.child({ subsystem_name: 'bundle_acme' });
  if (!config.tosAccepted) log.warn('ACME terms of service have not been accepted');
  const keyOf = (kind: CertificateKind) =>
    ensureKey(`${KEY_PREFIX}${domain}${suffixes[kind]}`, keyTypes[kind], { keyManager, log });
  privateKeyPem(await keyOf('ecdsa')); // rather now than when clients come

  const challenges = new Challenges(domain, clock);
  const listeners = new Listeners<SecureContextOptions>();
  const certificates = new AcmeCertificates({
    domain,
    key: keyOf,
    cache: chainCache(join(deps.dataDir, CACHE_FOLDER), domain),
    async order(key, signal) {
      const account = await ensureKey(`${KEY_PREFIX}${ACCOUNT}`, 'ec-p256', { keyManager, log });
      const http = acmeHttp({ ...deps, userAgent: `SPIRE-${SPIRE_VERSION}` });
      const session = new AcmeSession(config.directoryUrl, account, http);
      const prove = (name: string, authorization: string) => challenges.prove(name, authorization);
      return orderCertificate({ session, account: config, clock, prove }, domain, key, signal);
    },
    clock,
    random: deps.random,
    log,
    onChange: () => {
      const current = contextOf(certificates);
      if (current !== undefined) listeners.tell(current);
    },
  });

  return {
    current: () => contextOf(certificates),
    onChange: (listener) => listeners.add(listener),
    async admit(socket) {
      const hello = await peekClientHello(socket);
      if (hello.protocols.includes(ACME_TLS_PROTOCOL)) {
        challenges.answer(socket);
        return false;
      }
      checkServerName(hello, domain);
      await certificates.ensure(supportsEcdsa(hello) ? 'ecdsa' : 'rsa');
      return true;
    },
    [Symbol.asyncDispose]: () => certificates[Symbol.asyncDispose](),
  };
}

async function ensureKey(
  id: string,
  keyType: KeyType,
  { keyManager, log }: Pick<AcmeIdentityDeps, 'keyManager' | 'log'>,
): Promise<ManagedKey> {
  const known = await keyManager.getKey(id);
  if (known !== undefined) return known;
  const key = await keyManager.generateKey(id, keyType);
  log.info('Generated new key', { id });
  return key;
}

/** OpenSSL chooses among them by what the client can verify. */
function contextOf(certificates: AcmeCertificates): SecureContextOptions | undefined {
  const pairs = certificates.current();
  if (pairs.length === 0) return undefined;
  return { cert: pairs.map(({ cert }) => cert), key: pairs.map(({ key }) => key) };
}

function checkServerName({ serverName }: ClientHello, domain: string): void {
  if (serverName === undefined) throw new Fault('invalid', 'acme/autocert: missing server name');
  if (serverName !== domain) {
    throw new Fault('denied', `acme/autocert: host ${goQuote(serverName)} not configured`);
  }
}

/** Proves to ACME servers that the domain is ours, as long as one wants to know. */
class Challenges {
  readonly #domain: string;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #contexts = new Set<SecureContext>();
  readonly #server = createServer({
    ALPNProtocols: [ACME_TLS_PROTOCOL],
    SNICallback: (serverName, answer) => {
      const context =
        serverName.toLowerCase() === this.#domain ? [...this.#contexts].at(-1) : undefined;
      if (context === undefined) answer(new Fault('denied', 'no challenge for that name'));
      else answer(null, context);
    },
  });

  constructor(domain: string, clock: Pick<Clock, 'now'>) {
    this.#domain = domain;
    this.#clock = clock;
    this.#server.on('tlsClientError', (_, socket) => socket.destroy());
    this.#server.on('secureConnection', (socket) => socket.end());
  }

  answer(socket: Socket): void {
    this.#server.emit('connection', socket);
  }

  async prove(domain: string, keyAuthorization: string): Promise<Disposable> {
    if (domain !== this.#domain) {
      throw new Fault('invalid', 'the ACME server wants a proof for another name');
    }
    const now = unixSeconds(this.#clock);
    const { certificate, key } = await challengeCertificate(domain, keyAuthorization, now);
    const context = createSecureContext({
      cert: writePem('CERTIFICATE', certificate),
      key: writePem('PRIVATE KEY', key.toPkcs8()),
    });
    this.#contexts.add(context);
    return {
      [Symbol.dispose]: () => {
        this.#contexts.delete(context);
      },
    };
  }
}

const chainCache = (folder: string, domain: string): ChainCache => ({
  async read(kind) {
    try {
      const bytes = await readFileBounded(
        join(folder, `${domain}${suffixes[kind]}`),
        MAX_CHAIN_BYTES,
      );
      return Buffer.from(bytes).toString('latin1');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  },
  async write(kind, chain) {
    await makeFolders(folder, 0o700);
    await writeFileAtomically(join(folder, `${domain}${suffixes[kind]}`), chain, { mode: 0o600 });
  },
});
