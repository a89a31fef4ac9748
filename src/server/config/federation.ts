import { attempt } from '../../base/complaints.ts';
import { goQuote } from '../../base/go-quote.ts';
import type { HclItem } from '../../base/hcl/ast.ts';
import { Problems } from '../../base/problems.ts';
import type { Settings } from '../../base/settings.ts';
import type { KeyAudit } from '../../base/unknown-keys.ts';
import type { Log } from '../../ops/log.ts';
import type {
  BundleEndpointProfile,
  FederationRelationship,
} from '../../spiffe/federation-relationship.ts';
import { SpiffeId } from '../../spiffe/spiffe-id.ts';
import { TrustDomain } from '../../spiffe/trust-domain.ts';
import {
  buildBundleEndpoint,
  checkBundleEndpointBasics,
  type RawBundleEndpoint,
  readBundleEndpoint,
} from './bundle-endpoint.ts';
import type { FederationConfig } from './federation-config.ts';
import { readProfileBlock } from './profile-block.ts';

/** The `federation` section (`reference/server.md` §2.2), read but not checked. */
export type RawFederation = {
  readonly bundleEndpoint: RawBundleEndpoint | undefined;
  readonly federatesWith: readonly RawRelationship[];
};

type RawRelationship = {
  readonly trustDomain: string;
  readonly settings: Settings;
  readonly url: string;
  readonly profile: readonly HclItem[] | undefined;
};

export function readFederation(server: Settings, audit: KeyAudit): RawFederation | undefined {
  const federation = server.section('federation');
  if (federation === undefined) return undefined;
  audit.tolerate('federation', federation);
  const endpoint = federation.section('bundle_endpoint');
  return {
    bundleEndpoint: endpoint && readBundleEndpoint(endpoint, audit),
    federatesWith: [...federation.labelled('federates_with')].map(([trustDomain, settings]) => {
      audit.tolerate(`federates_with ${goQuote(trustDomain)}`, settings);
      return {
        trustDomain,
        settings,
        url: settings.string('bundle_endpoint_url'),
        profile: settings.items('bundle_endpoint_profile'),
      };
    }),
  };
}

/** The checks that come before there is a log. */
export function checkFederationBasics(federation: RawFederation, problems: Problems): void {
  const { bundleEndpoint, federatesWith } = federation;
  if (bundleEndpoint !== undefined) checkBundleEndpointBasics(bundleEndpoint, problems);
  for (const { trustDomain, settings, url } of federatesWith) {
    const key = `federation.federates_with["${trustDomain}"].bundle_endpoint_url`;
    const at = settings.positionOf('bundle_endpoint_url');
    if (url === '') {
      problems.add(`${key} must be configured`, settings.position);
    } else if (!url.toLowerCase().startsWith('https://')) {
      problems.add(`${key} must use the HTTPS protocol; URL found: ${goQuote(url)}`, at);
    } else if (/^https:\/\/[^/?#]*@/i.test(url)) {
      // SPIRE would log in with it; the standard forbids it (SPIFFE Federation §5.1).
      problems.add(`${key} must not contain user info`, at);
    }
  }
}

/** All other checks, in SPIRE's order. What is wrong is told, and then the result is of no use. */
export function buildFederation(
  federation: RawFederation | undefined,
  ownTrustDomain: TrustDomain | undefined,
  problems: Problems,
  log: Log,
): FederationConfig {
  const { bundleEndpoint, federatesWith = [] } = federation ?? {};
  return {
    bundleEndpoint: bundleEndpoint && buildBundleEndpoint(bundleEndpoint, problems, log),
    federatesWith: federatesWith.flatMap(
      (raw) => buildRelationship(raw, ownTrustDomain, problems) ?? [],
    ),
  };
}

function buildRelationship(
  raw: RawRelationship,
  ownTrustDomain: TrustDomain | undefined,
  problems: Problems,
): FederationRelationship | undefined {
  const { settings, profile: items, url: bundleEndpointUrl } = raw;
  const trustDomain = attempt(
    problems,
    () => TrustDomain.parse(raw.trustDomain),
    (reason) => reason,
    settings.position,
  );
  if (trustDomain === undefined) return undefined;
  if (ownTrustDomain?.equals(trustDomain) === true) {
    // What somebody's endpoint says would take the place of the authorities that sign here.
    problems.add(
      `federation configuration for trust domain "${trustDomain.name}": a server does not federate with its own trust domain`,
      settings.position,
    );
    return undefined;
  }
  if (items === undefined) {
    problems.add(
      `federation configuration for trust domain "${trustDomain.name}": missing bundle endpoint configuration`,
      settings.position,
    );
    return undefined;
  }
  const own = new Problems(problems.source);
  const bundleEndpointProfile = buildProfile(settings, items, own);
  for (const { text, position } of own.all) {
    problems.add(
      `error parsing federation relationship for trust domain "${trustDomain.name}": ${text}`,
      position,
    );
  }
  return bundleEndpointProfile && { trustDomain, bundleEndpointUrl, bundleEndpointProfile };
}

function buildProfile(
  owner: Settings,
  items: readonly HclItem[],
  problems: Problems,
): BundleEndpointProfile | undefined {
  const profile = readProfileBlock(owner, items, problems);
  if (profile === undefined) return undefined;
  const { name, settings } = profile;
  if (name === 'https_web') return { kind: name };
  if (name === 'https_spiffe') {
    const endpointSpiffeId = attempt(
      problems,
      () => SpiffeId.parse(settings.string('endpoint_spiffe_id')),
      (reason) => `could not get endpoint SPIFFE ID: ${reason}`,
      settings.position,
    );
    return endpointSpiffeId && { kind: name, endpointSpiffeId };
  }
  problems.add(
    `no bundle endpoint profile defined; current supported profiles are "https_spiffe" and 'https_web"`,
    settings.position,
  );
  return undefined;
}
