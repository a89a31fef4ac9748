import type { TestContext } from 'node:test';
import type { TrustDomainOptions, TrustDomainProcesses } from './trust-domain.ts';
import { startX509popDomain } from './x509pop-domain.ts';

/** The settings of SPIRE's scenarios (`reference/scenarios.md` §0.2). */
export const standard = {
  name: 'domain.test',
  server: 'ca_ttl = "1h"\n default_x509_svid_ttl = "10m"',
} as const satisfies TrustDomainOptions;

export type StandardDomain = {
  readonly domain: TrustDomainProcesses;
  /** The flags of an entry below the agent. */
  readonly below: readonly string[];
  /** What the server was configured with, to be configured again with more. */
  readonly serverOptions: TrustDomainOptions & { readonly server: string };
};

/** A server with these settings and an agent with a certificate of its node, both running. */
export async function startStandardDomain(
  t: Pick<TestContext, 'after'>,
  { server = '', ...options }: Omit<TrustDomainOptions, 'name'> = {},
): Promise<StandardDomain> {
  const all = { ...options, name: standard.name, server: `${standard.server}\n${server}` };
  const { domain, node, authority } = await startX509popDomain(t, all);
  await domain.startAgent();
  return {
    domain,
    below: ['-parentID', domain.id(node.path)],
    serverOptions: { ...all, serverAttestors: authority.serverAttestor },
  };
}
