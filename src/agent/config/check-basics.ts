import { reasonOf } from '../../base/fault.ts';
import type { Problems } from '../../base/problems.ts';
import { parseEndpoint } from '../../workload/endpoint-address.ts';
import type { MergedAgent } from './merge.ts';
import type { AgentReading } from './reading.ts';
import { checkTrustBundleUrl } from './trust-bundle-url.ts';

/** Checks 1 to 26 of `reference/agent.md` §1.9, in SPIRE's order. */
export function checkBasics(reading: AgentReading, merged: MergedAgent, problems: Problems): void {
  const { plugins } = reading;
  if (plugins === undefined) problems.add('plugins section must be configured');
  if (merged.joinToken.text !== '' && merged.joinTokenFile.text !== '') {
    problems.add(
      'only one of join_token or join_token_file can be specified, not both',
      merged.joinTokenFile.position,
    );
  }
  if (merged.serverAddress === '') problems.add('server_address must be configured');
  if (merged.serverPort.value === 0) problems.add('server_port must be configured');
  if (merged.trustDomain.text === '') problems.add('trust_domain must be configured');
  checkBundleSources(reading, merged, problems);
  checkPlatform(reading, problems);
}

/** Exactly one source of trust. */
function checkBundleSources(
  { agent, at }: AgentReading,
  merged: MergedAgent,
  problems: Problems,
): void {
  const [url, path] = [merged.trustBundleUrl, merged.trustBundlePath];
  const insecure = merged.insecureBootstrap;
  const workloadApi = agent.trustBundleSpiffeWorkloadApi;
  const socket = agent.trustBundleUnixSocket;
  const atSource = url.position ?? path.position ?? at('insecure_bootstrap');
  const complaint = firstThatHolds([
    [
      workloadApi !== '' && insecure,
      'only one of insecure_bootstrap or trust_bundle_spiffe_workload_api can be specified, not both',
    ],
    [
      workloadApi !== '' && url.text !== '',
      'only one of trust_bundle_url or trust_bundle_spiffe_workload_api can be specified, not both',
    ],
    [
      workloadApi !== '' && path.text !== '',
      'only one of trust_bundle_path or trust_bundle_spiffe_workload_api can be specified, not both',
    ],
    [
      workloadApi !== '' && socket !== '',
      'trust_bundle_unix_socket can not be used with trust_bundle_spiffe_workload_api',
    ],
  ]);
  if (complaint !== undefined) {
    problems.add(complaint, at('trust_bundle_spiffe_workload_api'));
  } else if (workloadApi !== '') {
    checkWorkloadApi(workloadApi, problems, at('trust_bundle_spiffe_workload_api'));
  }
  const conflict = firstThatHolds([
    [
      insecure && url.text !== '' && path.text !== '',
      'only one of insecure_bootstrap, trust_bundle_url, or trust_bundle_path can be specified, not the three options',
    ],
    [
      insecure && url.text !== '',
      'only one of insecure_bootstrap or trust_bundle_url can be specified, not both',
    ],
    [
      insecure && path.text !== '',
      'only one of insecure_bootstrap or trust_bundle_path can be specified, not both',
    ],
    [
      !insecure && url.text === '' && path.text === '' && workloadApi === '',
      'trust_bundle_path, trust_bundle_url, or trust_bundle_spiffe_workload_api must be configured unless insecure_bootstrap is set',
    ],
    [
      url.text !== '' && path.text !== '',
      'only one of trust_bundle_url or trust_bundle_path can be specified, not both',
    ],
  ]);
  if (conflict !== undefined) problems.add(conflict, atSource);
  const format = merged.trustBundleFormat;
  if (format.text !== 'pem' && format.text !== 'spiffe') {
    problems.add(
      'invalid value for trust_bundle_format, expected "pem" or "spiffe"',
      format.position,
    );
  }
  if (socket !== '' && url.text === '' && workloadApi === '') {
    problems.add(
      'if trust_bundle_unix_socket is specified, so must be trust_bundle_url',
      at('trust_bundle_unix_socket'),
    );
  }
  if (url.text !== '') checkTrustBundleUrl(url, socket !== '', problems);
}

function firstThatHolds(rules: readonly (readonly [boolean, string])[]): string | undefined {
  return rules.find(([holds]) => holds)?.[1];
}

function checkWorkloadApi(
  address: string,
  problems: Problems,
  position: ReturnType<AgentReading['at']>,
): void {
  try {
    parseEndpoint(address);
  } catch (error) {
    problems.add(
      `trust_bundle_spiffe_workload_api is not a valid SPIFFE Workload API endpoint address: ${reasonOf(error)}`,
      position,
    );
  }
}

function checkPlatform({ agent }: AgentReading, problems: Problems): void {
  const { namedPipeName, adminNamedPipeName, at } = agent.experimental;
  const refusal = (key: string, instead: string): string =>
    `invalid configuration: ${key} is not supported in this platform; please use ${instead} instead`;
  if (namedPipeName !== '') {
    problems.add(refusal('named_pipe_name', 'socket_path'), at('named_pipe_name'));
  }
  if (adminNamedPipeName !== '') {
    problems.add(
      refusal('admin_named_pipe_name', 'admin_socket_path'),
      at('admin_named_pipe_name'),
    );
  }
}
