import { Fault } from '../../base/fault.ts';
import { goQuote } from '../../base/go-quote.ts';
import type { WorkloadUpdate } from '../cache/workload-update.ts';
import type { SdsSettings } from '../config/agent-config.ts';
import { allBundlesSecret, bundleSecret, certificateSecret, type Secret } from './secret.ts';
import type { Validator } from './validator.ts';

/** So many names one request, or one stream of deltas, may hold; Envoy asks for a handful. */
export const MAX_NAMES = 10_000;
/** Of names that stand for nothing so many are told; the status must fit into headers. */
const MAX_TOLD = 100;

/** What the names stand for, and which of them stand for nothing that the caller may have. */
type Resolved = {
  readonly secrets: readonly Secret[];
  readonly unresolved: readonly string[];
};

/**
 * The secrets of these names, all there are if none is named: the own bundle, federated ones, then identities by
 * entry ID (`reference/agent.md` §4.5).
 */
function resolveSecrets(
  update: WorkloadUpdate,
  names: readonly string[],
  settings: SdsSettings,
  validator: Validator,
): Resolved {
  const left = new Set(names.filter((name) => name !== ''));
  const all = left.size === 0;
  const take = (name: string): boolean => all || left.delete(name);
  const secrets = [
    ...ownBundle(update, left, all, settings, validator),
    ...update.federatedBundles
      .filter(({ trustDomain }) => take(trustDomain.idString))
      .map((bundle) => bundleSecret(bundle.trustDomain.idString, bundle, validator)),
    ...update.identities.flatMap(({ entry, svid }, index) => {
      const id = entry.spiffeId.toString();
      if (take(id)) return [certificateSecret(id, svid)];
      const isDefault = index === 0 && left.delete(settings.defaultSvidName);
      return isDefault ? [certificateSecret(settings.defaultSvidName, svid)] : [];
    }),
  ];
  return { secrets, unresolved: [...left].sort() };
}

/**
 * As SPIRE's agent, it answers to one name of its own bundle, the first of those asked for; but who asks for all bundles
 * beside it gets them.
 */
function ownBundle(
  { bundle, federatedBundles }: WorkloadUpdate,
  left: Set<string>,
  all: boolean,
  { defaultBundleName, defaultAllBundlesName }: SdsSettings,
  validator: Validator,
): Secret[] {
  const { idString } = bundle.trustDomain;
  if (all || left.delete(idString)) return [bundleSecret(idString, bundle, validator)];
  const own = left.delete(defaultBundleName)
    ? [bundleSecret(defaultBundleName, bundle, validator)]
    : [];
  if (!left.delete(defaultAllBundlesName)) return own;
  return [
    ...own,
    allBundlesSecret(defaultAllBundlesName, [bundle, ...federatedBundles], validator),
  ];
}

/** As `resolveSecrets`, for calls that end when a name stands for nothing. */
export function secretsOf(
  update: WorkloadUpdate,
  names: readonly string[],
  settings: SdsSettings,
  validator: Validator,
): readonly Secret[] {
  if (names.length > MAX_NAMES) {
    throw new Fault('exhausted', `more than ${MAX_NAMES} secrets were asked for`);
  }
  const { secrets, unresolved } = resolveSecrets(update, names, settings, validator);
  if (unresolved.length > 0) {
    throw new Fault(
      'invalid',
      `workload is not authorized for the requested identities [${namesText(unresolved)}]`,
    );
  }
  return secrets;
}

function namesText(names: readonly string[]): string {
  const told = names.slice(0, MAX_TOLD).map(goQuote).join(' ');
  return names.length > MAX_TOLD ? `${told} … (${names.length - MAX_TOLD} more)` : told;
}
