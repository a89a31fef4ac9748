import type { Settings } from '../../../base/settings.ts';
import type { Certificate } from '../../../crypto/x509/certificate.ts';
import { readCertificates } from './certificate-file.ts';

/** The server's configuration, checked (`reference/node-attestation.md` §4.2). */
export type ServerSettings = {
  readonly mode: Mode;
  readonly maxIntermediates: number;
  /** Bits. */
  readonly maxRsaKeySize: number;
  readonly verifyClientIp: boolean;
};

export type Mode =
  | { readonly kind: 'external_pki'; readonly roots: readonly Certificate[] }
  /** Of what the trust domain itself issued; `prefix` starts and ends with a slash. */
  | { readonly kind: 'spiffe'; readonly prefix: string };

const DEFAULT_MAX_INTERMEDIATES = 4;
const DEFAULT_MAX_RSA_KEY_SIZE = 8192;
const DEFAULT_PREFIX = '/spire-exchange/';

const defaultTemplates = {
  external_pki: '/{{ .PluginName }}/{{ .Fingerprint }}',
  spiffe: '/{{ .PluginName }}/{{ .SVIDPathTrimmed }}',
} satisfies Record<Mode['kind'], string>;

/** Reads the CA files too. Throws 'invalid' with all that is wrong. */
export async function readServerSettings(settings: Settings): Promise<ServerSettings> {
  const values = readValues(settings);
  settings.throwIfWrong();
  const mode = await readMode(settings, values);
  checkTemplate(settings, values.template, mode.kind);
  requirePositive(settings, 'max_intermediates', values.maxIntermediates);
  requirePositive(settings, 'max_rsa_key_size', values.maxRsaKeySize);
  settings.problems.throwIfAny();
  const { maxIntermediates, maxRsaKeySize, verifyClientIp } = values;
  return { mode, maxIntermediates, maxRsaKeySize, verifyClientIp };
}

type Values = ReturnType<typeof readValues>;

const readValues = (settings: Settings) => ({
  mode: settings.string('mode') || 'external_pki',
  path: settings.string('ca_bundle_path'),
  paths: settings.strings('ca_bundle_paths'),
  prefix: settings.optionalString('spiffe_prefix') ?? DEFAULT_PREFIX,
  template: settings.string('agent_path_template'),
  maxIntermediates: settings.optionalInt('max_intermediates') ?? DEFAULT_MAX_INTERMEDIATES,
  maxRsaKeySize: settings.optionalInt('max_rsa_key_size') ?? DEFAULT_MAX_RSA_KEY_SIZE,
  verifyClientIp: settings.bool('verify_client_ip'),
});

async function readMode(settings: Settings, values: Values): Promise<Mode> {
  const { mode, path, paths, prefix } = values;
  const named = path !== '' || paths.length > 0;
  switch (mode) {
    case 'spiffe':
      if (named) {
        const position = settings.positionOf(path === '' ? 'ca_bundle_paths' : 'ca_bundle_path');
        settings.problems.add(
          'you can not use ca_bundle_path or ca_bundle_paths in spiffe mode',
          position,
        );
      }
      return { kind: 'spiffe', prefix: prefix.endsWith('/') ? prefix : `${prefix}/` };
    case 'external_pki':
      if (path !== '' && paths.length > 0) {
        settings.problems.add(
          'only one of ca_bundle_path or ca_bundle_paths can be configured, not both',
          settings.positionOf('ca_bundle_paths'),
        );
      }
      if (!named) {
        settings.problems.add('one of ca_bundle_path or ca_bundle_paths must be configured');
      }
      return { kind: mode, roots: await readRoots(settings, path === '' ? paths : [path]) };
    default:
      settings.problems.add(
        'mode can only be either spiffe or external_pki',
        settings.positionOf('mode'),
      );
      return { kind: 'external_pki', roots: [] };
  }
}

async function readRoots(
  settings: Settings,
  paths: readonly string[],
): Promise<readonly Certificate[]> {
  const roots: Certificate[] = [];
  for (const path of paths) {
    try {
      roots.push(...(await readCertificates(path)));
    } catch (error) {
      const reason = (error as Error).message;
      settings.problems.add(
        `unable to load trust bundle "${path}": ${reason}`,
        settings.positionOf('ca_bundle_paths') ?? settings.positionOf('ca_bundle_path'),
      );
    }
  }
  return roots;
}

/** Templates other than the default one are not there yet; a wrong agent ID would be worse than a refusal. */
function checkTemplate(settings: Settings, template: string, kind: Mode['kind']): void {
  const known = defaultTemplates[kind];
  if (template === '' || withoutSpaces(template) === withoutSpaces(known)) return;
  settings.problems.add(
    `agent_path_template "${template}" is not supported by this version; leave it out or set it to the default "${known}"`,
    settings.positionOf('agent_path_template'),
  );
}

/** Spaces inside the braces mean nothing. */
const withoutSpaces = (template: string): string =>
  template.replaceAll(/\{\{\s*([^{}]*?)\s*\}\}/g, '{{$1}}');

function requirePositive(settings: Settings, key: string, value: number): void {
  if (value <= 0) settings.problems.add(`${key} must be greater than 0`, settings.positionOf(key));
}
