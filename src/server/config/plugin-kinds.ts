import type { KnownPlugins } from '../../catalog/unsupported-plugin.ts';

/** A kind of plugin of the server: how many there may be, and which ones SPIRE comes with. */
export type ServerPluginKind = KnownPlugins & {
  readonly atLeast: number;
  readonly atMost: number;
};

/** By the name of the type (`reference/server.md` §3). */
export const serverPluginKinds: Readonly<Record<string, ServerPluginKind | undefined>> = {
  KeyManager: {
    atLeast: 1,
    atMost: 1,
    available: ['disk', 'memory'],
    later: ['aws_kms', 'gcp_kms', 'azure_key_vault', 'hashicorp_vault'],
  },
  NodeAttestor: {
    atLeast: 0,
    atMost: Infinity,
    available: ['join_token', 'x509pop'],
    later: [
      'aws_iid',
      'azure_imds',
      'azure_msi',
      'gcp_iit',
      'http_challenge',
      'k8s_psat',
      'sshpop',
      'tpm_devid',
    ],
  },
  UpstreamAuthority: {
    atLeast: 0,
    atMost: 1,
    available: ['disk', 'spire'],
    later: ['aws_pca', 'awssecret', 'gcp_cas', 'vault', 'cert-manager', 'ejbca'],
  },
  CredentialComposer: { atLeast: 0, atMost: Infinity, available: [], later: ['uniqueid'] },
  BundlePublisher: {
    atLeast: 0,
    atMost: Infinity,
    available: [],
    later: [
      'aws_s3',
      'gcp_cloudstorage',
      'azure_blob',
      'aws_rolesanywhere_trustanchor',
      'k8s_configmap',
    ],
  },
  Notifier: { atLeast: 0, atMost: Infinity, available: [], later: ['gcs_bundle', 'k8sbundle'] },
};

/** `expected exactly 1 but got 0`, or undefined if the count is right. */
export function countComplaint(
  { atLeast, atMost }: Pick<ServerPluginKind, 'atLeast' | 'atMost'>,
  count: number,
): string | undefined {
  if (count >= atLeast && count <= atMost) return undefined;
  if (atLeast === atMost) return `expected exactly ${atLeast} but got ${count}`;
  return count < atLeast
    ? `expected at least ${atLeast} but got ${count}`
    : `expected at most ${atMost} but got ${count}`;
}
