import { formatGoDuration } from '../../../base/duration.ts';
import type { Certificate } from '../../../crypto/x509/certificate.ts';
import { goUtcTimeText } from '../../kit/go-time.ts';
import type { FetchedSvid, X509Update } from './x509-update.ts';

/** An update as `api fetch x509` and `api watch` print it (`reference/cli.md` §5.6). */
export function x509Report({ svids, federated }: X509Update, elapsedMilliseconds: number): string {
  const elapsed = formatGoDuration(BigInt(Math.round(elapsedMilliseconds * 1_000_000)));
  const head = `Received ${svids.length} svid${svids.length === 1 ? '' : 's'} after ${elapsed}\n`;
  return `${head}${svids.map((svid) => `\n${svidLines(svid, federated)}`).join('')}\n`;
}

function svidLines(
  { id, hint, chain, bundle }: FetchedSvid,
  federated: X509Update['federated'],
): string {
  const [leaf, ...intermediates] = chain;
  return [
    `SPIFFE ID:\t\t${id.toString()}\n`,
    hint === '' ? '' : `Hint:\t\t\t${hint}\n`,
    leaf === undefined ? '' : validity('SVID', leaf),
    ...numbered('Intermediate', intermediates),
    ...numbered('CA', bundle),
    ...[...federated].flatMap(([domain, roots]) => numbered(`[${domain}] CA`, roots)),
  ].join('');
}

const numbered = (what: string, certificates: readonly Certificate[]): string[] =>
  certificates.map((certificate, index) => validity(`${what} #${index + 1}`, certificate));

const validity = (what: string, { notBefore, notAfter }: Certificate): string =>
  `${what} Valid After:\t${goUtcTimeText(BigInt(notBefore))}\n` +
  `${what} Valid Until:\t${goUtcTimeText(BigInt(notAfter))}\n`;
