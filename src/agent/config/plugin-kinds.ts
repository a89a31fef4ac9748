import type { KnownPlugins } from '../../catalog/unsupported-plugin.ts';

/** Plugins that SPIRE's agent comes with, by the name of the type (`reference/agent.md` §1.8). */
export const agentPluginKinds: Readonly<Record<string, KnownPlugins | undefined>> = {
  KeyManager: { available: ['disk', 'memory'], later: [] },
  NodeAttestor: {
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
  WorkloadAttestor: {
    available: ['unix'],
    later: ['docker', 'k8s', 'slurm', 'systemd', 'windows'],
  },
  SVIDStore: { available: ['disk'], later: ['aws_secretsmanager', 'gcp_secretmanager'] },
};
