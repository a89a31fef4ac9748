import { nameDer } from '../crypto/x509/name.ts';

/** The subject of every certificate request of an agent; the server makes the certificate's own (`reference/agent.md` §2.4). */
export const csrSubject = nameDer([
  ['C', 'US'],
  ['O', 'SPIRE'],
]);
