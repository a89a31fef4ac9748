import type { Any } from '@bufbuild/protobuf/wkt';
import { Fault } from '../../base/fault.ts';
import type { BrokerPeer } from './call.ts';
import type { BrokerSettings } from './settings.ts';

const ANY_TYPE = '*';

/** The reference, if this broker may use its type over this network. Throws 'invalid' or 'denied'. */
export function checkReference(
  reference: Any | undefined,
  { id, network }: BrokerPeer,
  brokers: BrokerSettings['brokers'],
): Any {
  if (reference === undefined || reference.typeUrl === '') {
    throw new Fault('invalid', 'workload reference must be provided');
  }
  const { typeUrl } = reference;
  const rules = brokers.get(id);
  const rule = rules?.get(ANY_TYPE) ?? rules?.get(typeUrl);
  if (rule === undefined) {
    throw new Fault('denied', `broker "${id}" is not allowed to use reference type "${typeUrl}"`);
  }
  if (network === 'tcp' && !rule.allowOverTcp) {
    throw new Fault(
      'denied',
      `reference type "${typeUrl}" is not allowed over TCP for broker "${id}"`,
    );
  }
  return reference;
}
