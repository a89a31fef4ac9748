import type { SdsSettings } from '../config/agent-config.ts';
import type { Identities } from '../identities.ts';

/** What Envoy's secrets are served from. */
export type SdsDeps = {
  readonly identities: Pick<Identities, 'latest' | 'subscribe'>;
  readonly sds: SdsSettings;
  /** 8 hex characters, for answers on streams. */
  readonly newNonce: () => string;
};
