import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import { Fault } from '../../../base/fault.ts';
import type { AuthorityState } from '../../../wire/gen/spire/api/server/localauthority/v1/localauthority_pb.ts';
import { flag } from '../../kit/flag.ts';
import type { Out } from '../../kit/out.ts';
import { type AuthorityWords, block } from './authority-text.ts';

/** What was done to an authority, as the first line of the answer says. */
export type Deed = 'Prepared' | 'Activated' | 'Tainted' | 'Revoked';

export const authorityIdFlag = (deed: string) => ({
  authorityID: flag.string(`ID of the authority to ${deed}`),
});

export function requiredId(authorityId: string): string {
  if (authorityId === '') throw new Fault('invalid', 'an authority ID is required');
  return authorityId;
}

/** Prints the answer; in words only if it tells of an authority. */
export function printChanged<D extends DescMessage>(
  out: Pick<Out, 'print' | 'write'>,
  schema: D,
  answer: MessageShape<D>,
  { deed, words, state }: { deed: Deed; words: AuthorityWords; state: AuthorityState | undefined },
): void {
  const heading = `${deed} ${words.label} authority:`;
  let missing = false;
  out.print(schema, answer, () => {
    missing = state === undefined;
    return block(heading, state ? words.lines(state) : []);
  });
  if (!missing) return;
  throw new Fault(
    'internal',
    `internal error: expected to have ${deed.toLowerCase()} ${words.label} authority information`,
  );
}
