import {
  CountEntriesResponseSchema,
  Entry,
} from '../../../wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import { serverCommand } from '../../kit/server-command.ts';
import { entryFilter, entryFilterFlags } from './entry-filter.ts';

export const entryCount = serverCommand({
  name: 'entry count',
  flags: entryFilterFlags,
  services: { entry: Entry },
  async run(flags, { api, out }) {
    const answer = await api.entry.countEntries({ filter: entryFilter(flags) });
    out.print(CountEntriesResponseSchema, answer, ({ count }) =>
      count === 1 ? '1 registration entry\n' : `${count} registration entries\n`,
    );
  },
});
