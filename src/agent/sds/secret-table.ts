import { createHash } from 'node:crypto';
import type { WorkloadUpdate } from '../cache/workload-update.ts';
import type { SdsSettings } from '../config/agent-config.ts';
import { allBundlesSecret, bundleSecret, certificateSecret, type Secret } from './secret.ts';
import type { Validator } from './validator.ts';

/** A secret, and what tells it from what it was before. */
export type VersionedSecret = { readonly secret: Secret; readonly version: string };

/**
 * The secrets of one update by their names, each made when it is first asked for: an Envoy asks for some of them again
 * and again, and whoever names thousands that stand for nothing costs a look each.
 */
export class SecretTable {
  /** What a stream is told that asks for all there is. */
  readonly allNames: readonly string[];
  readonly #makers: ReadonlyMap<string, () => Secret>;
  readonly #made = new Map<string, VersionedSecret>();

  constructor(update: WorkloadUpdate, settings: SdsSettings, validator: Validator) {
    const all = distinct([...bundleMakers(update, validator), ...certificateMakers(update)]);
    this.allNames = [...all.keys()];
    this.#makers = distinct([...ownNames(update, settings, validator), ...all]);
  }

  get(name: string): VersionedSecret | undefined {
    const known = this.#made.get(name);
    if (known !== undefined) return known;
    const secret = this.#makers.get(name)?.();
    if (secret === undefined) return undefined;
    const made = { secret, version: versionOf(secret) };
    this.#made.set(name, made);
    return made;
  }
}

type Maker = readonly [name: string, make: () => Secret];

const bundleMakers = (
  { bundle, federatedBundles }: WorkloadUpdate,
  validator: Validator,
): Maker[] =>
  [bundle, ...federatedBundles].map((one) => {
    const name = one.trustDomain.idString;
    return [name, () => bundleSecret(name, one, validator)];
  });

const certificateMakers = ({ identities }: WorkloadUpdate): Maker[] =>
  identities.map(({ entry, svid }) => {
    const name = entry.spiffeId.toString();
    return [name, () => certificateSecret(name, svid)];
  });

/** Those that the agent's configuration gives (`reference/agent.md` §4.5). */
function ownNames(
  { bundle, federatedBundles, identities: [first] }: WorkloadUpdate,
  { defaultBundleName, defaultAllBundlesName, defaultSvidName }: SdsSettings,
  validator: Validator,
): Maker[] {
  const everyBundle = [bundle, ...federatedBundles];
  return [
    [defaultBundleName, () => bundleSecret(defaultBundleName, bundle, validator)],
    [defaultAllBundlesName, () => allBundlesSecret(defaultAllBundlesName, everyBundle, validator)],
    ...(first === undefined
      ? []
      : [[defaultSvidName, () => certificateSecret(defaultSvidName, first.svid)] as const]),
  ];
}

/** Of several with one name the first counts. */
function distinct(makers: readonly Maker[]): ReadonlyMap<string, () => Secret> {
  const byName = new Map<string, () => Secret>();
  for (const [name, make] of makers) if (!byName.has(name)) byName.set(name, make);
  return byName;
}

const versionOf = ({ resource }: Secret): string =>
  createHash('sha256').update(resource.value).digest('hex').slice(0, 16);
