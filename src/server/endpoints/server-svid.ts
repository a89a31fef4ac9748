import { type Clock, unixSeconds } from '../../base/clock.ts';
import { reasonOf } from '../../base/fault.ts';
import { repeat } from '../../base/repeat.ts';
import { generateKey, type KeyType, type PrivateKey } from '../../crypto/keys.ts';
import type { Log } from '../../ops/log.ts';
import type { Issuer } from '../ca/contract.ts';

/** How often it is looked whether the SVID is due (`reference/server.md` §7.2). */
const CHECK_INTERVAL_MILLISECONDS = 5_000;

/** The server's own X509-SVID. Its key never leaves memory. */
export type ServerSvid = {
  /** Leaf first. */
  readonly chain: readonly Uint8Array[];
  readonly key: PrivateKey;
};

export type ServerSvidDeps = {
  readonly issuer: Pick<Issuer, 'serverX509Svid'>;
  readonly keyType: KeyType;
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

type Held = ServerSvid & { readonly renewAt: number };

/** Resolves with the first SVID at hand; from then on it is renewed after half of its life. */
export async function startServerSvid(deps: ServerSvidDeps): Promise<ServerSvidRotator> {
  const log = deps.log.child({ subsystem_name: 'svid_rotator' });
  const listeners = new Set<(svid: ServerSvid) => void>();
  let held = await issue(deps);

  const rotate = async () => {
    held = await issue(deps);
    for (const listener of listeners) listener(held);
  };
  const rotateIfDue = async () => {
    if (unixSeconds(deps.clock) < held.renewAt) return;
    try {
      await rotate();
    } catch (error) {
      log.error('Could not rotate server SVID', { error: reasonOf(error) });
    }
  };

  const stop = new AbortController();
  const { clock } = deps;
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
      stop.abort();
      await loop;
    },
  };
}

async function issue({ issuer, keyType }: ServerSvidDeps): Promise<Held> {
  const key = await generateKey(keyType);
  const { chain, notBefore, notAfter } = await issuer.serverX509Svid(key.publicKey);
  return { chain, key, renewAt: notBefore + (notAfter - notBefore) / 2 };
}
