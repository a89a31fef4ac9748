import { resolve } from 'node:path';
import { goQuote } from '../../../base/go-quote.ts';
import { Problems } from '../../../base/problems.ts';
import type { Settings } from '../../../base/settings.ts';

export type SpireSettings = {
  /** Of the upstream server, `host:port`. */
  readonly address: string;
  /** Where this server gets its own identity: a URI as in SPIFFE_ENDPOINT_SOCKET. */
  readonly workloadApi: string;
  readonly requirePqKem: boolean;
};

/** `reference/authorities-and-publishers.md` §A3. Throws 'invalid' with SPIRE's words, in its order. */
export function readSpireSettings(settings: Settings): SpireSettings {
  const experimental = settings.section('experimental');
  const read = {
    host: settings.string('server_address'),
    port: settings.string('server_port'),
    socket: settings.string('workload_api_socket'),
    pipe: experimental?.string('workload_api_named_pipe_name') ?? '',
    requirePqKem: experimental?.bool('require_pq_kem') ?? false,
  };
  settings.throwIfWrong(() => 'plugin configuration is malformed');
  const problems = new Problems('');
  if (read.host === '') problems.add('server_address is required');
  if (read.port === '') problems.add('server_port is required');
  if (read.pipe !== '') {
    problems.add(
      'configuration: workload_api_named_pipe_name is not supported on this platform; please use workload_api_socket instead',
    );
  }
  if (read.socket === '') problems.add('workload_api_socket is required');
  if (read.port !== '' && !isPort(read.port)) {
    problems.add(`server_port must be a number from 1 to 65535; got ${goQuote(read.port)}`);
  }
  problems.throwIfAny();
  return {
    address: `${read.host.includes(':') ? `[${read.host}]` : read.host}:${read.port}`,
    workloadApi: `unix://${resolve(read.socket)}`,
    requirePqKem: read.requirePqKem,
  };
}

const isPort = (text: string): boolean =>
  /^[0-9]{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65_535;
