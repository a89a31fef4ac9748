import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { reasonOf } from '../../base/fault.ts';
import { goQuote } from '../../base/go-quote.ts';
import type { Problems } from '../../base/problems.ts';
import { SpiffeId } from '../../spiffe/spiffe-id.ts';
import type { BrokerSettings } from '../broker/settings.ts';
import type { RawBroker } from './read-agent.ts';

/** What was checked, as the endpoint uses it. */
export function brokerSettings(broker: RawBroker, cwd: string): BrokerSettings {
  const address = splitAddress(broker.bindAddress);
  return {
    socketPath: broker.socketPath === '' ? undefined : resolve(cwd, broker.socketPath),
    bindAddress: address && { host: address.host, port: Number(address.port) },
    brokers: new Map(
      broker.brokers.map(({ id, types }) => [
        SpiffeId.parse(id).toString(),
        new Map(types.map(({ typeUrl, allowOverTcp }) => [typeUrl, { allowOverTcp }])),
      ]),
    ),
  };
}

/** Checks 42 to 44 of `reference/agent.md` §1.9. */
export function checkBroker(
  broker: RawBroker,
  besidePublicSocket: (path: string) => boolean,
  problems: Problems,
): void {
  if (broker.socketPath === '' && broker.bindAddress === '') {
    problems.add(
      'experimental.broker requires socket_path, bind_address, or both',
      broker.position,
    );
  }
  if (broker.socketPath !== '' && besidePublicSocket(broker.socketPath)) {
    problems.add(
      'broker socket cannot be in the same directory or a subdirectory as that containing the Workload API socket',
      broker.at('socket_path'),
    );
  }
  const broken = broker.bindAddress === '' ? undefined : whyNotTcpAddress(broker.bindAddress);
  if (broken !== undefined) {
    problems.add(
      `invalid experimental.broker.bind_address ${goQuote(broker.bindAddress)}: ${broken}`,
      broker.at('bind_address'),
    );
  }
  checkBrokers(broker, problems);
}

function checkBrokers({ brokers }: RawBroker, problems: Problems): void {
  const seen = new Set<string>();
  for (const [index, { id, types, position }] of brokers.entries()) {
    const complaint = idComplaint(id, index, seen);
    if (complaint !== undefined) {
      problems.add(complaint, position);
      continue;
    }
    seen.add(id);
    checkTypes(id, types, problems, position);
  }
}

function idComplaint(id: string, index: number, seen: ReadonlySet<string>): string | undefined {
  if (id === '') return `experimental.broker.brokers[${index}].id: must be specified`;
  if (seen.has(id)) return `experimental.broker.brokers[${id}].id: duplicate broker id`;
  try {
    SpiffeId.parse(id);
    return undefined;
  } catch (error) {
    return `experimental.broker.brokers[${id}].id: ${reasonOf(error)}`;
  }
}

function checkTypes(
  id: string,
  types: RawBroker['brokers'][number]['types'],
  problems: Problems,
  position: RawBroker['position'],
): void {
  const name = `experimental.broker.brokers[${id}].allowed_reference_types`;
  if (types.length === 0) {
    problems.add(`${name}: must list at least one reference type URL`, position);
  }
  for (const [index, type] of types.entries()) {
    if (type.typeUrl === '') {
      problems.add(`${name}[${index}].type_url: must be specified`, type.position);
    }
  }
  if (types.length > 1 && types.some(({ typeUrl }) => typeUrl === '*')) {
    problems.add(`${name}: wildcard "*" must be the only allowed reference type`, position);
  }
}

/** `host:port` in its parts; an IPv6 address stands in brackets. */
function splitAddress(text: string): { readonly host: string; readonly port: string } | undefined {
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:]*)):([^:]*)$/.exec(text) ?? [];
  return port === undefined ? undefined : { host: bracketed ?? plain ?? '', port };
}

/** In Go's words. */
function whyNotTcpAddress(text: string): string | undefined {
  const parts = splitAddress(text);
  if (parts === undefined) {
    const many = text.split(':').length > 2;
    return `address ${text}: ${many ? 'too many colons in address' : 'missing port in address'}`;
  }
  const { host, port } = parts;
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) return `address ${port}: invalid port`;
  return host === '' || host === 'localhost' || isIP(host) !== 0
    ? undefined
    : `lookup ${host}: no such host`;
}
