import type { SPIFFEID } from '../../wire/gen/spire/api/types/spiffeid_pb.ts';
import { rfc3339Text } from './go-time.ts';
import { spiffeIdText } from './spiffe-id-text.ts';

export type ShownCertificate = {
  readonly id?: Pick<SPIFFEID, 'trustDomain' | 'path'> | undefined;
  readonly expiresAt: bigint;
  readonly subject: string;
};

/** The chain in `debug getinfo` of server and agent (`reference/cli.md` §4.17); nothing of an empty one. */
export const debugChainText = (chain: readonly ShownCertificate[]): string =>
  chain.length === 0 ? '' : `  SVID Chain:\n${chain.map(certificateText).join('')}`;

const certificateText = ({ id, expiresAt, subject }: ShownCertificate, index: number): string =>
  `    [${index}] SPIFFE ID:  ${id === undefined ? '(none)' : spiffeIdText(id)}\n` +
  `        Subject:    ${subject}\n` +
  `        Expires At: ${rfc3339Text(expiresAt)}\n`;
