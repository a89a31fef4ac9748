import type { AuthorityState } from '../../../wire/gen/spire/api/server/localauthority/v1/localauthority_pb.ts';
import { goUtcTimeText } from '../../kit/go-time.ts';

/** How the authorities of one kind are printed (`reference/cli.md` §4.14). */
export type AuthorityWords = {
  readonly label: 'X.509' | 'JWT';
  readonly lines: (state: AuthorityState) => readonly string[];
};

const lines = ({ authorityId, expiresAt }: AuthorityState): string[] => [
  `Authority ID: ${authorityId}`,
  `Expires at: ${goUtcTimeText(expiresAt)}`,
];

export const jwtWords: AuthorityWords = { label: 'JWT', lines };

export const x509Words: AuthorityWords = {
  label: 'X.509',
  lines: (state) => [
    ...lines(state),
    state.upstreamAuthoritySubjectKeyId === ''
      ? 'Upstream authority ID: No upstream authority'
      : `Upstream authority Subject Key ID: ${state.upstreamAuthoritySubjectKeyId}`,
  ],
};

/** One authority under its heading, or the words that there is none. */
export const authorityText = (
  heading: 'Active' | 'Prepared' | 'Old',
  state: AuthorityState | undefined,
  { label, lines: linesOf }: AuthorityWords,
): string =>
  block(
    `${heading} ${label} authority:`,
    state ? linesOf(state) : [`No ${heading.toLowerCase()} ${label} authority found`],
  );

export const block = (heading: string, indented: readonly string[]): string =>
  [heading, ...indented.map((line) => `  ${line}`)].map((line) => `${line}\n`).join('');
