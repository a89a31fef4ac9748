import { attempt } from '../../base/complaints.ts';
import type { Problems } from '../../base/problems.ts';
import { parseCidr } from '../endpoints/proxy-protocol/trusted-proxies.ts';
import { checkFederationBasics } from './federation.ts';
import type { ServerReading } from './reading.ts';

/** What must be right before there is a log (`reference/server.md` §1.4), in SPIRE's order. */
export function checkBasics(
  reading: ServerReading,
  { trustDomain, dataDir }: { readonly trustDomain: string; readonly dataDir: string },
  problems: Problems,
): void {
  const { server, federation, plugins, at, atExperimental } = reading;
  if (trustDomain === '') problems.add('trust_domain must be configured');
  if (dataDir === '') problems.add('data_dir must be configured');
  if (plugins === undefined) problems.add('plugins section must be configured');
  if (federation !== undefined) checkFederationBasics(federation, problems);
  const { eventTimeout, sqlTransactionTimeout, namedPipeName } = server.experimental;
  if (eventTimeout !== '' && sqlTransactionTimeout !== '') {
    problems.add(
      'both experimental sql_transaction_timeout and event_timeout set, only set event_timeout',
      atExperimental('sql_transaction_timeout'),
    );
  }
  for (const cidr of server.proxyProtocolTrustedCidrs) {
    attempt(
      problems,
      () => parseCidr(cidr),
      (reason) => `invalid proxy_protocol_trusted_cidrs value "${cidr}": ${reason}`,
      at('proxy_protocol_trusted_cidrs'),
    );
  }
  if (namedPipeName !== '') {
    problems.add(
      'invalid configuration: named_pipe_name is not supported in this platform; please use socket_path instead',
      atExperimental('named_pipe_name'),
    );
  }
}
