import { Fault } from '../../base/fault.ts';

/** The `experimental.broker` block, checked (`reference/agent.md` §1.7). */
export type BrokerSettings = {
  /** Absolute. */
  readonly socketPath: string | undefined;
  readonly bindAddress: { readonly host: string; readonly port: number } | undefined;
  /** By SPIFFE ID. */
  readonly brokers: ReadonlyMap<string, BrokerRules>;
};

/** Which references a broker may name workloads by: by type URL, `*` meaning any. */
export type BrokerRules = ReadonlyMap<string, { readonly allowOverTcp: boolean }>;

/** Nobody could use it: SPIRE's agent does not start so. */
export function requireBrokers(settings: BrokerSettings | undefined): void {
  if (settings?.brokers.size === 0) throw new Fault('invalid', 'at least one broker is required');
}
