import { type Clock, unixSeconds } from '../../base/clock.ts';
import { reasonOf } from '../../base/fault.ts';
import { repeat } from '../../base/repeat.ts';
import { generateKey, type KeyType, type PrivateKey } from '../../crypto/keys.ts';
import { parseCertificate } from '../../crypto/x509/certificate.ts';
import type { Log } from '../../ops/log.ts';
import type { Metrics } from '../../ops/metrics.ts';
import { timedCall } from '../../ops/metrics-call.ts';
import { type Bundle, x509AuthorityCertificates } from '../../spiffe/bundle.ts';
import { isSignedByAny } from '../../spiffe/signed-by-any.ts';
import type { Issuer } from '../ca/contract.ts';

/** How often it is looked whether the SVID is due (`reference/server.md` §7.2). */
const CHECK_INTERVAL_MILLISECONDS = 5_000;

const ROTATE = ['svid', 'rotate'];

/** The server's own X509-SVID. Its key never leaves memory. */
export type ServerSvid = {
  /** Leaf first. */
  readonly chain: readonly Uint8Array[];
  readonly key: PrivateKey;
};

export type ServerSvidDeps = {
  readonly issuer: Pick<Issuer, 'serverX509Svid'>;
  readonly keyType: KeyType;
  /** The trust domain's own, as it is now: the same value while nothing has changed. */
  readonly bundle: () => Bundle | undefined;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly log: Log;
};

export type ServerSvidRotator = AsyncDisposable & {
  current(): ServerSvid;
  /** Makes a new SVID now. Throws if that fails; the current one stays. */
  rotate(): Promise<void>;
  /** Called with each new SVID; the returned function stops that. */
  onRotated(listener: (svid: ServerSvid) => void): () => void;
};

type Issued = { readonly svid: ServerSvid; readonly notBefore: number; readonly renewAt: number };

/**
 * Resolves with the first SVID at hand; from then on it is renewed after half of its life, and at the next look after
 * its root was tainted (`reference/server.md` §6.4).
 */
export async function startServerSvid(deps: ServerSvidDeps): Promise<ServerSvidRotator> {
  const { clock } = deps;
  const log = deps.log.child({ subsystem_name: 'svid_rotator' });
  const listeners = new Set<(svid: ServerSvid) => void>();
  let { svid: held, notBefore, renewAt } = await issue(deps, log);
  let looked: Bundle | undefined;

  const rotate = async () => {
    ({ svid: held, notBefore, renewAt } = await issue(deps, log));
    for (const listener of listeners) listener(held);
  };
  const rotateIfDue = async () => {
    try {
      const bundle = deps.bundle();
      if (bundle !== looked && !(await isSound(held, bundle, unixSeconds(clock)))) {
        log.info(
          'Server SVID signed using a tainted authority, forcing rotation of the Server SVID',
        );
        renewAt = 0;
      }
      looked = bundle;
      const now = unixSeconds(clock);
      // Before its time nobody accepts it either: the clock was set back.
      if (now >= notBefore && now < renewAt) return;
      await rotate();
    } catch (error) {
      log.error('Could not rotate server SVID', { error: reasonOf(error) });
    }
  };

  const stop = new AbortController();
  const { signal } = stop;
  const loop = repeat({ clock, signal, milliseconds: CHECK_INTERVAL_MILLISECONDS }, rotateIfDue);
  return {
    current: () => held,
    rotate,
    onRotated(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async [Symbol.asyncDispose]() {
      log.debug('Stopping SVID rotator');
      stop.abort();
      await loop;
    },
  };
}

/** Whether a root that is not tainted verifies it. One that was tainted may be revoked, and gone, at the next look. */
function isSound(
  { chain }: ServerSvid,
  bundle: Bundle | undefined,
  atUnixSeconds: number,
): Promise<boolean> {
  const x509Authorities = bundle?.x509Authorities.filter(({ tainted }) => !tainted) ?? [];
  const roots = x509AuthorityCertificates({ x509Authorities });
  return isSignedByAny(roots, Buffer.concat([...chain]), atUnixSeconds);
}

const issue = (deps: ServerSvidDeps, log: Log): Promise<Issued> =>
  timedCall(deps.metrics, ROTATE, () => issueSvid(deps, log));

async function issueSvid({ issuer, keyType }: ServerSvidDeps, log: Log): Promise<Issued> {
  log.debug('Rotating server SVID');
  const key = await generateKey(keyType);
  const { chain, notBefore, notAfter } = await issuer.serverX509Svid(key.publicKey);
  const { uris } = parseCertificate(chain[0] ?? new Uint8Array());
  const expiration = new Date(notAfter * 1000).toISOString().replace('.000Z', 'Z');
  log.debug('Signed X509 SVID', { spiffe_id: uris[0], expiration });
  const renewAt = notBefore + (notAfter - notBefore) / 2;
  return { svid: { chain, key }, notBefore, renewAt };
}
