import type { TestContext } from 'node:test';
import { NodeAuthority, type NodeCertificate } from './node-certificates.ts';
import { type TrustDomainOptions, TrustDomainProcesses } from './trust-domain.ts';

export type X509popDomain = {
  readonly domain: TrustDomainProcesses;
  readonly authority: NodeAuthority;
  /** Of the first agent. */
  readonly node: NodeCertificate;
};

/** A server that takes nodes' certificates (and what else is said), and an agent that has one; the agent does not run yet. */
export async function startX509popDomain(
  t: Pick<TestContext, 'after'>,
  options: TrustDomainOptions = {},
  moreAttestors = '',
): Promise<X509popDomain> {
  const domain = await TrustDomainProcesses.create(options);
  t.after(() => domain[Symbol.asyncDispose]());
  const authority = await NodeAuthority.create(domain.folder);
  const node = await authority.issue('node', `x509pop://${domain.name}/cluster/test`);
  await domain.configure({
    ...options,
    serverAttestors: `${authority.serverAttestor}\n${moreAttestors}`,
  });
  await domain.firstAgent.configure({ ...options, agentAttestor: node.attestor });
  await domain.startServer();
  await domain.writeBundle();
  return { domain, authority, node };
}
