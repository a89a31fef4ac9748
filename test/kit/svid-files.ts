import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { eventually, runProgram, spireAgent } from './programs.ts';
import { startTrustDomain, type TrustDomainProcesses } from './trust-domain.ts';

/** An SVID as files, as a program that knows nothing of SPIFFE uses it; `renew` writes them again. */
export async function svidFiles(t: TestContext, ...entryFlags: readonly string[]) {
  const domain = await startTrustDomain(t);
  const uid = process.getuid?.() ?? 0;
  await domain.createEntry('/web', [`unix:uid:${uid}`], '-dns', 'localhost', ...entryFlags);
  const folder = domain.path('svid');
  await mkdir(folder);
  const renew = () => write(domain, folder);
  await eventually(renew, 'the SVID as files');
  return {
    domain,
    renew,
    chain: join(folder, 'svid.0.pem'),
    key: join(folder, 'svid.0.key'),
    bundle: join(folder, 'bundle.0.pem'),
  };
}

async function write(domain: TrustDomainProcesses, folder: string): Promise<boolean> {
  const socket = ['-socketPath', domain.agentSocket];
  const command = [spireAgent, 'api', 'fetch', 'x509', ...socket, '-write', folder];
  return (await runProgram(command)).code === 0;
}
