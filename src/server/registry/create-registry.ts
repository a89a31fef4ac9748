import { Fault } from '../../base/fault.ts';
import type { Log } from '../../ops/log.ts';
import type { TrustDomain } from '../../spiffe/trust-domain.ts';
import type { Datastore } from '../datastore/contract.ts';
import type { Registry } from './contract.ts';

export type RegistryDeps = {
  readonly datastore: Datastore;
  readonly trustDomain: TrustDomain;
  readonly log: Log;
};

/** Reads everything. Throws where the first entry is of another trust domain (`reference/server.md` §5.1, step 7). */
export async function createRegistry(_deps: RegistryDeps): Promise<Registry> {
  throw new Fault('unimplemented', 'createRegistry');
}
