import { nameFailure } from '../../catalog/name-failure.ts';
import type { SvidStore } from './contract.ts';

/** The same store; what it throws says `svidstore(<name>): ` first (`reference/agent.md` §2.4). */
export function namedSvidStore(store: SvidStore): SvidStore {
  const named = async (call: Promise<void>, signal: AbortSignal): Promise<void> => {
    try {
      await call;
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw nameFailure('SVIDStore', store.name, error);
    }
  };
  return {
    name: store.name,
    put: (svid, metadata, signal) => named(store.put(svid, metadata, signal), signal),
    delete: (metadata, signal) => named(store.delete(metadata, signal), signal),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}
