import type { Clock } from '../base/clock.ts';
import { Fault } from '../base/fault.ts';
import { buildCsr } from '../crypto/csr.ts';
import { base64url } from '../crypto/jose/base64url.ts';
import type { Signer } from '../crypto/signer.ts';
import {
  type AcmeSession,
  type JsonObject,
  objectsOf,
  problemText,
  type Resource,
  textOf,
  textsOf,
} from './acme-session.ts';

export type Account = {
  /** May be empty. */
  readonly email: string;
  /** Whether the operator agrees to whatever terms the server has. */
  readonly tosAccepted: boolean;
};

export type OrderDeps = {
  readonly session: AcmeSession;
  readonly account: Account;
  readonly clock: Pick<Clock, 'sleep'>;
  /**
   * Called with what the domain's TLS server must prove (RFC 8737); from when it resolves until the result is
   * disposed of, the server does.
   */
  readonly prove: (domain: string, keyAuthorization: string) => Promise<Disposable>;
};

/** Waits between looks at what takes its time. */
const POLL_SECONDS = { shortest: 1, longest: 15 };
/** A server that has not decided after so many looks will not. */
const MAX_POLLS = 60;

/** Gets a certificate for that domain and key (RFC 8555 §7). Resolves with its chain in PEM. Throws if it cannot be had. */
export async function orderCertificate(
  deps: OrderDeps,
  domain: string,
  key: Signer,
  signal: AbortSignal,
): Promise<string> {
  const { session } = deps;
  await register(deps, signal);
  const { newOrder } = await session.directory(signal);
  const identifiers = [{ type: 'dns', value: domain }];
  const order = await session.post(newOrder, { identifiers }, signal);
  for (const url of textsOf(order.object, 'authorizations')) {
    await authorize(deps, url, signal);
  }
  const csr = await buildCsr({ dnsNames: [domain], uris: [] }, key);
  const ready = await settled(deps, order, ['pending'], signal);
  if (ready.object['status'] === 'ready') {
    await session.post(textOf(ready.object, 'finalize'), { csr: base64url(csr) }, signal);
  }
  const issued = await settled(deps, ready, ['ready', 'processing'], signal);
  if (issued.object['status'] !== 'valid') throw refused('order', issued.object);
  return session.postForText(textOf(issued.object, 'certificate'), signal);
}

/** Makes the account, or finds it: the server knows it by its key (RFC 8555 §7.3). */
async function register({ session, account }: OrderDeps, signal: AbortSignal): Promise<void> {
  const { newAccount, termsOfService } = await session.directory(signal);
  if (termsOfService !== undefined && !account.tosAccepted) {
    throw new Fault(
      'failed-precondition',
      `the ACME server's terms of service are not accepted: set tos_accepted if you agree to ${termsOfService}`,
    );
  }
  const { url } = await session.post(
    newAccount,
    {
      ...(account.email !== '' && { contact: [`mailto:${account.email}`] }),
      ...(termsOfService !== undefined && { termsOfServiceAgreed: true }),
    },
    signal,
  );
  session.account = url;
}

async function authorize(deps: OrderDeps, url: string, signal: AbortSignal): Promise<void> {
  const { session, prove } = deps;
  const authorization = await session.post(url, undefined, signal);
  if (authorization.object['status'] === 'valid') return;
  const identifier = authorization.object['identifier'] as JsonObject | undefined;
  const domain = textOf(identifier ?? {}, 'value');
  const challenge = objectsOf(authorization.object, 'challenges').find(
    ({ type }) => type === 'tls-alpn-01',
  );
  if (challenge === undefined) {
    throw new Fault('unavailable', 'the ACME server offers no tls-alpn-01 challenge');
  }
  using _proof = await prove(domain, session.keyAuthorization(textOf(challenge, 'token')));
  await session.post(textOf(challenge, 'url'), {}, signal);
  const { object } = await settled(deps, { ...authorization, url }, ['pending'], signal);
  if (object['status'] !== 'valid') throw refused('authorization', object);
}

/** Looks again and again until it is in none of these states any more. */
async function settled(
  { session, clock }: OrderDeps,
  resource: Resource,
  unsettled: readonly string[],
  signal: AbortSignal,
): Promise<Resource> {
  const { url } = resource;
  for (let polls = 0; polls < MAX_POLLS; polls++) {
    const current = await session.post(url, undefined, signal);
    if (!unsettled.includes(textOf(current.object, 'status'))) return { ...current, url };
    const { shortest, longest } = POLL_SECONDS;
    const seconds = Math.min(Math.max(current.retryAfterSeconds ?? shortest, shortest), longest);
    await clock.sleep(seconds * 1000, signal);
  }
  throw new Fault('unavailable', 'the ACME server does not come to an end');
}

/** What went wrong stands in the object, or in its challenges. */
function refused(what: string, object: JsonObject): Fault {
  const challenges = (object['challenges'] ?? []) as readonly JsonObject[];
  const problem = [object, ...challenges].map(({ error }) => error).find((error) => error);
  const why = problem === undefined ? '' : `: ${problemText(problem as JsonObject)}`;
  return new Fault('unavailable', `ACME ${what} is ${String(object['status'])}${why}`);
}
