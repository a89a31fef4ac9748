import { resolve } from 'node:path';
import { Fault } from '../../../base/fault.ts';
import { goQuote } from '../../../base/go-quote.ts';
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
  if (read.host === '') throw new Fault('invalid', 'server_address is required');
  if (read.port === '') throw new Fault('invalid', 'server_port is required');
  if (read.pipe !== '') {
    throw new Fault(
      'invalid',
      'configuration: workload_api_named_pipe_name is not supported on this platform; please use workload_api_socket instead',
    );
  }
  if (read.socket === '') throw new Fault('invalid', 'workload_api_socket is required');
  if (!isPort(read.port)) {
    throw new Fault(
      'invalid',
      `server_port must be a number from 1 to 65535; got ${goQuote(read.port)}`,
    );
  }
  return {
    address: `${read.host.includes(':') ? `[${read.host}]` : read.host}:${read.port}`,
    workloadApi: `unix://${resolve(read.socket)}`,
    requirePqKem: read.requirePqKem,
  };
}

const isPort = (text: string): boolean =>
  /^[0-9]{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65_535;
