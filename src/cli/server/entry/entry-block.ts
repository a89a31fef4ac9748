import { selectorText } from '../../../spiffe/selector.ts';
import type { Entry } from '../../../wire/gen/spire/api/types/entry_pb.ts';
import { goUtcTimeText } from '../../kit/go-time.ts';
import { spiffeIdText } from '../../kit/spiffe-id-text.ts';

/** One entry as all `entry` commands print it, with the empty line that ends it (`reference/cli.md` §4.8.1). */
export function entryBlock(entry: Entry): string {
  const attributes = entry.additionalAttributes;
  const lines: readonly (readonly [label: string, value: string])[] = [
    ['Entry ID', entry.id === '' ? '(none)' : entry.id],
    ['SPIFFE ID', spiffeIdText(entry.spiffeId)],
    ['Parent ID', spiffeIdText(entry.parentId)],
    ['Revision', String(entry.revisionNumber)],
    ...ifSet('Downstream', entry.downstream),
    ['X509-SVID TTL', ttlText(entry.x509SvidTtl)],
    ['JWT-SVID TTL', ttlText(entry.jwtSvidTtl)],
    ...each('Expiration time', entry.expiresAt === 0n ? [] : [goUtcTimeText(entry.expiresAt)]),
    ...each('Selector', entry.selectors.map(selectorText)),
    ...each('FederatesWith', entry.federatesWith),
    ...each('DNS name', entry.dnsNames),
    ...ifSet('Admin', entry.admin),
    ...ifSet('StoreSvid', entry.storeSvid),
    ...each('Hint', entry.hint === '' ? [] : [entry.hint]),
    ...ifSet('DisableX509SvidPrefetch', attributes?.disableX509SvidPrefetch),
    ...ifSet('JwtSvidIncludeJti', attributes?.jwtSvidIncludeJti),
  ];
  return `${lines.map(([label, value]) => `${label.padEnd(LABEL_WIDTH)}: ${value}\n`).join('')}\n`;
}

const LABEL_WIDTH = 24;

const ttlText = (seconds: number): string => (seconds === 0 ? 'default' : String(seconds));

const each = (label: string, values: readonly string[]) =>
  values.map((value) => [label, value] as const);

const ifSet = (label: string, set: boolean | undefined) => each(label, set ? ['true'] : []);
