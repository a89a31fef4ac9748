import { create, type DescMessage, type MessageShape } from '@bufbuild/protobuf';
import { Fault } from '../../../base/fault.ts';
import { type Entry, EntrySchema } from '../../../wire/gen/spire/api/types/entry_pb.ts';
import type { Status } from '../../../wire/gen/spire/api/types/status_pb.ts';
import { isOk, statusText } from '../../kit/item-status.ts';
import type { Out } from '../../kit/out.ts';
import { entryBlock } from './entry-block.ts';
import type { EntryMessage } from './entry-flags.ts';

type Result = { status?: Status | undefined; entry?: Entry | undefined };

/**
 * The answer to `entry create` or `entry update`: as text the entries that went well, then the others with the reason.
 * An item that failed shows the entry that was asked for. Throws if one failed, but not in JSON.
 */
export function printResults<D extends DescMessage>(
  out: Out,
  verb: 'create' | 'update',
  requested: readonly EntryMessage[],
  schema: D,
  answer: MessageShape<D> & { results: Result[] },
): void {
  const { results } = answer;
  for (const [index, result] of results.entries()) {
    if (!isOk(result.status)) result.entry = create(EntrySchema, requested[index] ?? {});
  }
  const shown = ({ entry }: Result): string => entryBlock(entry ?? create(EntrySchema));
  const failed = results.filter(({ status }) => !isOk(status));
  out.print(schema, answer, () =>
    results
      .filter(({ status }) => isOk(status))
      .map(shown)
      .join(''),
  );
  if (out.format === 'json') return;
  for (const result of failed) {
    out.remark(`Failed to ${verb} the following entry ${statusText(result.status)}:\n`);
    out.remark(shown(result));
  }
  if (failed.length > 0) throw new Fault('unknown', `failed to ${verb} one or more entries`);
}
