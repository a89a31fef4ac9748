import type { AuthorityState } from '../../../wire/gen/spire/api/server/localauthority/v1/localauthority_pb.ts';
import { type AuthorityWords, authorityText } from './authority-text.ts';

export type ShownAuthorities = {
  readonly active?: AuthorityState | undefined;
  readonly prepared?: AuthorityState | undefined;
  readonly old?: AuthorityState | undefined;
};

export const showText = (
  { active, prepared, old }: ShownAuthorities,
  words: AuthorityWords,
): string =>
  [
    authorityText('Active', active, words),
    authorityText('Prepared', prepared, words),
    authorityText('Old', old, words),
  ].join('\n');
