import { isIP } from 'node:net';
import { attempt, parseSeconds } from '../../base/complaints.ts';
import { goQuote } from '../../base/go-quote.ts';
import type { HclItem } from '../../base/hcl/ast.ts';
import type { Problems } from '../../base/problems.ts';
import type { Settings } from '../../base/settings.ts';
import type { KeyAudit } from '../../base/unknown-keys.ts';
import type { Log } from '../../ops/log.ts';
import type {
  AcmeConfig,
  BundleEndpointConfig,
  EndpointIdentityConfig,
} from './federation-config.ts';
import { readProfileBlock } from './profile-block.ts';

export type RawBundleEndpoint = {
  readonly settings: Settings;
  readonly address: string;
  readonly port: number;
  readonly refreshHint: string;
  readonly acme: AcmeConfig | undefined;
  readonly profile: readonly HclItem[] | undefined;
};

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const DEFAULT_REFRESH_HINT = 5 * MINUTE;
const DEFAULT_SYNC_INTERVAL = HOUR;
const LETS_ENCRYPT = 'https://acme-v02.api.letsencrypt.org/directory';

export function readBundleEndpoint(settings: Settings, audit: KeyAudit): RawBundleEndpoint {
  audit.refuse('bundle endpoint', settings);
  const acme = settings.section('acme');
  audit.refuse('bundle endpoint ACME', acme);
  return {
    settings,
    address: settings.string('address'),
    port: settings.int('port'),
    refreshHint: settings.string('refresh_hint'),
    acme: acme && readAcme(acme),
    profile: settings.items('profile'),
  };
}

const readAcme = (acme: Settings): AcmeConfig => ({
  kind: 'acme',
  directoryUrl: acme.string('directory_url') || LETS_ENCRYPT,
  domainName: acme.string('domain_name'),
  email: acme.string('email'),
  tosAccepted: acme.bool('tos_accepted'),
});

/** The checks that come before there is a log. */
export function checkBundleEndpointBasics(
  { acme, settings }: RawBundleEndpoint,
  problems: Problems,
): void {
  if (acme === undefined) return;
  const at = settings.positionOf('acme');
  const section = 'federation.bundle_endpoint.acme';
  if (acme.domainName === '') problems.add(`${section}.domain_name must be configured`, at);
  if (acme.email === '') problems.add(`${section}.email must be configured`, at);
}

/** All other checks, in SPIRE's order; undefined where something is wrong, which is told. */
export function buildBundleEndpoint(
  endpoint: RawBundleEndpoint,
  problems: Problems,
  log: Log,
): BundleEndpointConfig | undefined {
  const refreshHintSeconds = readRefreshHint(endpoint, problems, log);
  const identity = readIdentity(endpoint, problems, log);
  if (refreshHintSeconds === undefined || identity === undefined) return undefined;
  const { address, port } = endpoint;
  // A host name counts as nothing at all, as in SPIRE.
  return {
    address: isIP(address) === 0 ? undefined : address,
    port,
    refreshHintSeconds,
    identity,
  };
}

function readRefreshHint(
  { refreshHint, settings }: RawBundleEndpoint,
  problems: Problems,
  log: Log,
): number | undefined {
  if (refreshHint === '') return DEFAULT_REFRESH_HINT;
  const hint = attempt(
    problems,
    () => parseSeconds(refreshHint),
    (reason) => `could not parse refresh_hint ${goQuote(refreshHint)}: ${reason}`,
    settings.positionOf('refresh_hint'),
  );
  if (hint === undefined) return undefined;
  if (hint >= DAY) log.warn('Bundle endpoint refresh hint is a day or more');
  if (hint < MINUTE) log.warn('Bundle endpoint refresh hint is less than a minute');
  return hint;
}

function readIdentity(
  { settings, acme, profile }: RawBundleEndpoint,
  problems: Problems,
  log: Log,
): EndpointIdentityConfig | undefined {
  const deprecated = { alert: true, alert_type: 'deprecated_config' };
  if (acme !== undefined && profile !== undefined) {
    problems.add(
      "either bundle endpoint 'acme' or 'profile' can be set, but not both",
      settings.positionOf('profile'),
    );
    return undefined;
  }
  if (acme !== undefined) {
    log.warn('bundle_endpoint.acme is deprecated; use a profile "https_web" with acme', deprecated);
    return checkAcme(acme, settings.section('acme'), problems) ? acme : undefined;
  }
  if (profile === undefined) {
    log.warn(
      'A bundle endpoint without a profile is deprecated; use profile "https_spiffe"',
      deprecated,
    );
    return { kind: 'svid' };
  }
  return readProfile(settings, profile, problems);
}

function readProfile(
  owner: Settings,
  items: readonly HclItem[],
  problems: Problems,
): EndpointIdentityConfig | undefined {
  const profile = readProfileBlock(owner, items, problems);
  if (profile === undefined) return undefined;
  const { name, settings } = profile;
  if (name === 'https_spiffe') return { kind: 'svid' };
  if (name === 'https_web') return readWebProfile(settings, problems);
  problems.add(
    `unknown bundle endpoint profile configured; current supported profiles are "https_spiffe" and 'https_web"`,
    settings.position,
  );
  return undefined;
}

function readWebProfile(
  settings: Settings,
  problems: Problems,
): EndpointIdentityConfig | undefined {
  const acmeSection = settings.section('acme');
  const acme = acmeSection && readAcme(acmeSection);
  const files = settings.section('serving_cert_file');
  const certFilePath = files?.string('cert_file_path') ?? '';
  const keyFilePath = files?.string('key_file_path') ?? '';
  const interval = files?.string('file_sync_interval') ?? '';
  for (const { text, position } of settings.problems.all) {
    problems.add(`failed to decode configuration: ${text}`, position);
  }
  if (!settings.problems.none) return undefined;
  if (acme !== undefined) return checkAcme(acme, acmeSection, problems) ? acme : undefined;
  if (files === undefined) {
    problems.add(
      "malformed https_web profile configuration: 'acme' or 'serving_cert_file' is required",
      settings.position,
    );
    return undefined;
  }
  const seconds = attempt(
    problems,
    () => parseSeconds(interval),
    (reason) => reason,
    files.positionOf('file_sync_interval') ?? files.position,
  );
  if (seconds === undefined) return undefined;
  const syncIntervalSeconds = seconds > 0 ? seconds : DEFAULT_SYNC_INTERVAL;
  return { kind: 'certificate-files', certFilePath, keyFilePath, syncIntervalSeconds };
}

/** A name that TLS clients can ask for, and that can name a file: no wildcard, two labels or more. */
const DOMAIN_NAME =
  /^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** What SPIRE takes, and then turns every client away. */
function checkAcme(
  { domainName, directoryUrl }: AcmeConfig,
  section: Settings | undefined,
  problems: Problems,
): boolean {
  const tell = (key: string, why: string): boolean => {
    const at = section?.positionOf(key) ?? section?.position;
    problems.add(`federation.bundle_endpoint: acme ${key} ${why}`, at);
    return false;
  };
  if (domainName === '') return tell('domain_name', 'must be configured');
  if (!DOMAIN_NAME.test(domainName)) {
    return tell(
      'domain_name',
      `must be a full domain name in lower case, not ${goQuote(domainName)}`,
    );
  }
  if (!/^https:\/\/[^/?#@]+(?:[/?#]|$)/i.test(directoryUrl)) {
    return tell('directory_url', `must be an https URL, not ${goQuote(directoryUrl)}`);
  }
  return true;
}
