import { kindOf, reasonOf } from '../../../base/fault.ts';
import type { Log } from '../../../ops/log.ts';
import type { Updates } from '../../../plugins/upstream-authority/contract.ts';

export type UpdateWords = {
  /** `an X.509 root update` */
  readonly one: string;
  /** `X.509 root updates` */
  readonly many: string;
  /** What is stored of them. */
  readonly content: string;
};

export type FollowOptions<U, Checked> = {
  readonly words: UpdateWords;
  readonly check: (update: U) => Checked;
  readonly store: (checked: Checked) => Promise<void>;
  readonly signal: AbortSignal;
  readonly log: Log;
};

/**
 * Stores what an authority sends after its first answer; what is malformed or cannot be stored is logged and passed
 * over. Resolves when no more will come: the stream has ended, as it may, or it broke, which is logged
 * (`reference/authorities-and-publishers.md` §A1).
 */
export async function followUpdates<U, Checked>(
  updates: Updates<U>,
  { words, check, store, signal, log }: FollowOptions<U, Checked>,
): Promise<'ended' | 'broken'> {
  const take = async (update: U) => {
    let checked: Checked;
    try {
      checked = check(update);
    } catch (error) {
      log.warn(
        `Failed to parse ${words.one} from the upstream authority plugin. Please report this bug.`,
        { error: reasonOf(error) },
      );
      return;
    }
    await store(checked).catch((error: unknown) => {
      log.error(`Failed to store ${words.content} received by the upstream authority plugin.`, {
        error: reasonOf(error),
      });
    });
  };

  try {
    for await (const update of updates) await take(update);
    return 'ended';
  } catch (error) {
    if (signal.aborted || kindOf(error) === 'canceled') return 'ended';
    log.error(
      `The upstream authority plugin stopped streaming ${words.many} prematurely. Please report this bug. Will retry later.`,
      { error: reasonOf(error) },
    );
    return 'broken';
  }
}
