import { attempt, parseSeconds } from '../../base/complaints.ts';
import { reasonOf } from '../../base/fault.ts';
import { goQuote } from '../../base/go-quote.ts';
import type { HclItem } from '../../base/hcl/ast.ts';
import type { Position } from '../../base/hcl/position.ts';
import { Problems } from '../../base/problems.ts';
import type { Settings } from '../../base/settings.ts';
import type { KeyAudit } from '../../base/unknown-keys.ts';
import type { Log } from '../../ops/log.ts';
import { SpiffeId } from '../../spiffe/spiffe-id.ts';
import { TrustDomain } from '../../spiffe/trust-domain.ts';

/**
 * The `federation` section (`reference/server.md` §2.2). What it says is checked as SPIRE checks it; serving and
 * fetching bundles is not here yet, so that nothing of it is kept.
 */
export type RawFederation = {
  readonly bundleEndpoint: RawBundleEndpoint | undefined;
  readonly federatesWith: readonly RawRelationship[];
};

type RawBundleEndpoint = {
  readonly settings: Settings;
  readonly refreshHint: string;
  readonly acme: { readonly domainName: string; readonly email: string } | undefined;
  readonly profile: readonly HclItem[] | undefined;
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

function readBundleEndpoint(settings: Settings, audit: KeyAudit): RawBundleEndpoint {
  audit.refuse('bundle endpoint', settings);
  const acme = settings.section('acme');
  audit.refuse('bundle endpoint ACME', acme);
  settings.string('address');
  settings.int('port');
  return {
    settings,
    refreshHint: settings.string('refresh_hint'),
    acme: acme && readAcme(acme),
    profile: settings.items('profile'),
  };
}

function readAcme(acme: Settings): { domainName: string; email: string } {
  acme.string('directory_url');
  acme.bool('tos_accepted');
  return { domainName: acme.string('domain_name'), email: acme.string('email') };
}

/** The checks that come before there is a log. */
export function checkFederationBasics(federation: RawFederation, problems: Problems): void {
  const { bundleEndpoint, federatesWith } = federation;
  if (bundleEndpoint?.acme !== undefined) {
    const at = bundleEndpoint.settings.positionOf('acme');
    const acme = 'federation.bundle_endpoint.acme';
    if (bundleEndpoint.acme.domainName === '') {
      problems.add(`${acme}.domain_name must be configured`, at);
    }
    if (bundleEndpoint.acme.email === '') problems.add(`${acme}.email must be configured`, at);
  }
  for (const { trustDomain, settings, url } of federatesWith) {
    const key = `federation.federates_with["${trustDomain}"].bundle_endpoint_url`;
    if (url === '') {
      problems.add(`${key} must be configured`, settings.position);
    } else if (!url.toLowerCase().startsWith('https://')) {
      problems.add(
        `${key} must use the HTTPS protocol; URL found: ${goQuote(url)}`,
        settings.positionOf('bundle_endpoint_url'),
      );
    }
  }
}

/** All other checks, in SPIRE's order. */
export function checkFederation(federation: RawFederation, problems: Problems, log: Log): void {
  if (federation.bundleEndpoint !== undefined) {
    checkBundleEndpoint(federation.bundleEndpoint, problems, log);
  }
  for (const relationship of federation.federatesWith) checkRelationship(relationship, problems);
}

const MINUTE = 60;
const DAY = 24 * 60 * MINUTE;

function checkBundleEndpoint(endpoint: RawBundleEndpoint, problems: Problems, log: Log): void {
  const { settings, refreshHint, acme, profile } = endpoint;
  if (refreshHint !== '') {
    const hint = attempt(
      problems,
      () => parseSeconds(refreshHint),
      (reason) => `could not parse refresh_hint ${goQuote(refreshHint)}: ${reason}`,
      settings.positionOf('refresh_hint'),
    );
    if (hint !== undefined && hint >= DAY)
      log.warn('Bundle endpoint refresh hint is a day or more');
    if (hint !== undefined && hint < MINUTE) {
      log.warn('Bundle endpoint refresh hint is less than a minute');
    }
  }
  const deprecated = { alert: true, alert_type: 'deprecated_config' };
  if (acme !== undefined && profile !== undefined) {
    problems.add(
      "either bundle endpoint 'acme' or 'profile' can be set, but not both",
      settings.positionOf('profile'),
    );
  } else if (acme !== undefined) {
    log.warn('bundle_endpoint.acme is deprecated; use a profile "https_web" with acme', deprecated);
  } else if (profile === undefined) {
    log.warn(
      'A bundle endpoint without a profile is deprecated; use profile "https_spiffe"',
      deprecated,
    );
  } else {
    checkEndpointProfile(settings, profile, problems);
  }
}

type Profile = { readonly name: string; readonly settings: Settings };

/** The one labelled block of a profile; its type problems are its own. */
function readProfile(
  owner: Settings,
  items: readonly HclItem[],
  problems: Problems,
): Profile | undefined {
  const last = items.at(-1);
  const blocks = items.flatMap(({ keys, value }) => {
    if (keys.length > 0) return [{ keys, value }];
    return value.kind === 'object' ? value.items : [];
  });
  const at = last?.value.position;
  if (items.some(({ keys, value }) => keys.length === 0 && value.kind !== 'object')) {
    problems.add('malformed configuration', at);
    return undefined;
  }
  const names = new Set(blocks.map(({ keys }) => keys[0]?.name ?? ''));
  const [name] = names;
  if (name === undefined || names.size > 1) {
    problems.add('exactly one bundle endpoint profile is expected', at);
    return undefined;
  }
  const content = blocks.flatMap(({ keys, value }) => {
    const labels = keys.slice(1);
    if (labels.length > 0) return [{ keys: labels, value }];
    return value.kind === 'object' ? value.items : [];
  });
  const position = blocks[0]?.value.position ?? owner.position;
  return {
    name,
    settings: owner.sectionOf(content, position, 'root', new Problems(problems.source)),
  };
}

function checkEndpointProfile(
  owner: Settings,
  items: readonly HclItem[],
  problems: Problems,
): void {
  const profile = readProfile(owner, items, problems);
  if (profile === undefined) return;
  const { name, settings } = profile;
  if (name === 'https_spiffe') return;
  if (name !== 'https_web') {
    problems.add(
      `unknown bundle endpoint profile configured; current supported profiles are "https_spiffe" and 'https_web"`,
      settings.position,
    );
    return;
  }
  const acme = settings.section('acme');
  if (acme !== undefined) readAcme(acme);
  const certificate = settings.section('serving_cert_file');
  const interval = certificate?.string('file_sync_interval') ?? '';
  certificate?.string('cert_file_path');
  certificate?.string('key_file_path');
  if (tellTypeProblems(settings, problems)) return;
  if (acme !== undefined) return;
  if (certificate === undefined) {
    problems.add(
      "malformed https_web profile configuration: 'acme' or 'serving_cert_file' is required",
      settings.position,
    );
    return;
  }
  const at = certificate.positionOf('file_sync_interval') ?? certificate.position;
  attempt(
    problems,
    () => parseSeconds(interval),
    (reason) => reason,
    at,
  );
}

function tellTypeProblems(settings: Settings, problems: Problems): boolean {
  for (const { text, position } of settings.problems.all) {
    problems.add(`failed to decode configuration: ${text}`, position);
  }
  return !settings.problems.none;
}

function checkRelationship(relationship: RawRelationship, problems: Problems): void {
  const { trustDomain, settings, profile: items } = relationship;
  const parsed = attempt(
    problems,
    () => TrustDomain.parse(trustDomain),
    (reason) => reason,
    settings.position,
  );
  if (parsed === undefined) return;
  const tell = (text: string, position: Position): void => {
    problems.add(text, position);
  };
  if (items === undefined) {
    tell(
      `federation configuration for trust domain "${parsed.name}": missing bundle endpoint configuration`,
      settings.position,
    );
    return;
  }
  const prefix = `error parsing federation relationship for trust domain "${parsed.name}":`;
  const own = new Problems(problems.source);
  const profile = readProfile(settings, items, own);
  if (profile === undefined) {
    for (const problem of own.all) problems.add(`${prefix} ${problem.text}`, problem.position);
  } else if (profile.name === 'https_spiffe') {
    const id = profile.settings.string('endpoint_spiffe_id');
    const reason = whyNotSpiffeId(id);
    if (reason !== undefined) {
      tell(`${prefix} could not get endpoint SPIFFE ID: ${reason}`, profile.settings.position);
    }
  } else if (profile.name !== 'https_web') {
    tell(
      `${prefix} no bundle endpoint profile defined; current supported profiles are "https_spiffe" and 'https_web"`,
      profile.settings.position,
    );
  }
}

function whyNotSpiffeId(text: string): string | undefined {
  try {
    SpiffeId.parse(text);
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}
