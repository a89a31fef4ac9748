import { create } from '@bufbuild/protobuf';
import { Fault } from '../../../base/fault.ts';
import type { Client } from '../../../rpc/dial.ts';
import {
  Entry,
  ListEntriesResponseSchema,
} from '../../../wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import { allPages } from '../../kit/all-pages.ts';
import { type FlagValues, flag } from '../../kit/flag.ts';
import { prefixed } from '../../kit/prefixed.ts';
import { serverCommand } from '../../kit/server-command.ts';
import { compareEntries, compareSelectors } from './compare-entries.ts';
import { entryBlock } from './entry-block.ts';
import { entryFilter, entryFilterFlags } from './entry-filter.ts';

const PAGE_SIZE = 500;

const flags = {
  ...entryFilterFlags,
  entryID: flag.string('The one entry with this ID'),
};

type Entries = Client<typeof Entry>;

export const entryShow = serverCommand({
  name: 'entry show',
  flags,
  services: { entry: Entry },
  async run(given, { api, out }) {
    checkFlags(given);
    const found =
      given.entryID === ''
        ? await listEntries(api.entry, given)
        : [await getEntry(api.entry, given.entryID)];
    for (const entry of found) entry.selectors.sort(compareSelectors);
    found.sort(compareEntries);
    const answer = create(ListEntriesResponseSchema, { entries: found });
    out.print(ListEntriesResponseSchema, answer, ({ entries }) => {
      const count = `${entries.length} ${entries.length === 1 ? 'entry' : 'entries'}`;
      return `Found ${count}\n${entries.map(entryBlock).join('')}`;
    });
  },
});

function checkFlags({ entryID, parentID, spiffeID, selector }: FlagValues<typeof flags>): void {
  if (entryID === '') return;
  if (parentID !== '' || spiffeID !== '' || selector.length > 0) {
    throw new Fault('invalid', "the -entryID flag can't be combined with others");
  }
}

const getEntry = (entries: Pick<Entries, 'getEntry'>, id: string) =>
  entries.getEntry({ id }).catch(prefixed(`error fetching entry ID ${id}`));

async function listEntries(entries: Pick<Entries, 'listEntries'>, given: FlagValues<typeof flags>) {
  const filter = entryFilter(given);
  return await allPages(async (pageToken) => {
    const page = await entries
      .listEntries({ filter, pageSize: PAGE_SIZE, pageToken })
      .catch(prefixed('error fetching entries'));
    return { items: page.entries, nextPageToken: page.nextPageToken };
  });
}
