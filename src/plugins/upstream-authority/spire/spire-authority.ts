import { Fault, reasonOf } from '../../../base/fault.ts';
import { repeat } from '../../../base/repeat.ts';
import type { LocalBundle, Updates, UpstreamAuthority } from '../contract.ts';
import { noUpdates } from '../signs-only.ts';
import { BundleCopy, equalBundles } from './bundle-copy.ts';
import {
  openUpstreamServer,
  type UpstreamServer,
  type UpstreamServerDeps,
} from './upstream-server.ts';

/** How often the upstream bundle is asked for while anybody uses the connection (`reference/authorities-and-publishers.md` §A3). */
const POLL_MILLISECONDS = 5_000;

/** How long a call waits for an identity where it need not. */
const IDENTITY_MILLISECONDS = 10_000;

/** One connection, shared by all that is going on at a time. */
type Session = { readonly server: UpstreamServer; readonly copy: BundleCopy };

type OpenSession = {
  users: number;
  readonly opened: Promise<Session>;
  readonly stop: AbortController;
};

/** Another SPIRE server of the same trust domain, nearer to the root; this one is its downstream workload. */
export function createSpireAuthority(deps: UpstreamServerDeps): UpstreamAuthority {
  let open: OpenSession | undefined;

  /** Opened by the first that uses it and closed by the last; waited for as long as the signal lets. */
  const session = async (signal: AbortSignal): Promise<Session & Disposable> => {
    open ??= openSession(deps);
    const mine = open;
    mine.users++;
    let used = true;
    const release = () => {
      if (used && --mine.users === 0) {
        mine.stop.abort();
        if (open === mine) open = undefined;
      }
      used = false;
    };
    try {
      return { ...(await abortable(mine.opened, signal)), [Symbol.dispose]: release };
    } catch (error) {
      release();
      throw error;
    }
  };

  return {
    name: 'spire',

    async mintX509Ca({ csr, ttlSeconds, patient, signal }) {
      using used = await (patient ? session(signal) : soon(deps, signal, session));
      const { server, copy } = used;
      const x509CaChain = await server.newDownstreamX509Ca(csr, ttlSeconds, signal);
      const bundle = await server.getBundle(signal);
      copy.set(bundle);
      return { x509CaChain, upstreamRoots: bundle.x509Authorities, updates: noUpdates };
    },

    async publishJwtKey(key, signal) {
      using used = await session(signal);
      const { server, copy } = used;
      const jwtKeys = await server.publishJwtAuthority(key, signal);
      copy.setJwtKeys(jwtKeys);
      return { jwtKeys, updates: noUpdates };
    },

    async subscribeToLocalBundle(signal) {
      using opened = new DisposableStack();
      const { server, copy } = opened.use(await session(signal));
      const bundle = await server.getBundle(signal);
      copy.set(bundle);
      const held = opened.move();
      signal.addEventListener('abort', () => held.dispose(), { once: true });
      return { bundle, updates: updatesOf(copy, bundle, signal, held) };
    },

    async [Symbol.asyncDispose]() {
      open?.stop.abort();
    },
  };
}

function openSession(deps: UpstreamServerDeps): OpenSession {
  const stop = new AbortController();
  const opened = openUpstreamServer(deps, stop.signal).then((server) => {
    const session = { server, copy: new BundleCopy() };
    void poll(deps, session, stop.signal);
    return session;
  });
  opened.catch(() => undefined); // whoever waits for it is told
  return { users: 0, opened, stop };
}

/** Until the signal aborts; then the connection is closed. */
async function poll(
  { clock, log }: UpstreamServerDeps,
  { server, copy }: Session,
  signal: AbortSignal,
): Promise<void> {
  await using _ = server;
  const once = async () => {
    const askedAt = copy.version;
    try {
      copy.polled(await server.getBundle(signal), askedAt);
    } catch (error) {
      if (signal.aborted) return;
      log.warn('Failed to fetch bundle while polling', { error: reasonOf(error) });
    }
  };
  await once();
  await repeat({ clock, signal, milliseconds: POLL_MILLISECONDS }, once);
}

/** Each other bundle than the one before, until the signal aborts or nobody reads any more. */
async function* updatesOf(
  copy: BundleCopy,
  first: LocalBundle,
  signal: AbortSignal,
  held: DisposableStack,
): Updates<LocalBundle> {
  try {
    for (let told = first; ; ) {
      const { bundle } = copy;
      if (bundle === undefined || equalBundles(bundle, told)) await copy.changed(signal);
      else yield (told = bundle);
    }
  } finally {
    held.dispose();
  }
}

/** Fails where the Workload API gives no identity in time. */
async function soon<T>(
  { clock }: UpstreamServerDeps,
  signal: AbortSignal,
  open: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const late = new Fault(
    'internal',
    `unable to create X509Source: no identity from the Workload API within ${IDENTITY_MILLISECONDS / 1000} s`,
  );
  const [opened, gaveUp] = [new AbortController(), new AbortController()];
  clock.sleep(IDENTITY_MILLISECONDS, AbortSignal.any([signal, opened.signal])).then(
    () => {
      gaveUp.abort(late);
    },
    () => undefined,
  );
  try {
    return await open(AbortSignal.any([signal, gaveUp.signal]));
  } finally {
    opened.abort();
  }
}

async function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => {
    reject(signal.reason);
  };
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
