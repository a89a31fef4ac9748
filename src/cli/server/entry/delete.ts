import { Fault } from '../../../base/fault.ts';
import {
  BatchDeleteEntryResponseSchema,
  Entry,
} from '../../../wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import type { Env } from '../../kit/env.ts';
import { readInput } from '../../kit/files.ts';
import { type FlagValues, flag } from '../../kit/flag.ts';
import { listShape, structShape, textShape, unmarshalGoJson } from '../../kit/go-json-shape.ts';
import { isOk, statusText } from '../../kit/item-status.ts';
import { serverCommand } from '../../kit/server-command.ts';

const flags = {
  entryID: flag.string('ID of the entry to delete'),
  file: flag.string('JSON file with the IDs of entries to delete, - for standard input'),
};

const idsFile = structShape('entryv1', 'BatchDeleteEntryRequest', { ids: listShape(textShape) });

export const entryDelete = serverCommand({
  name: 'entry delete',
  flags,
  services: { entry: Entry },
  async run(given, { api, out, readStdin }) {
    const ids = await idsToDelete(given, { readStdin });
    const answer = await api.entry.batchDeleteEntry({ ids });
    const deleted = answer.results.filter(({ status }) => isOk(status));
    const failed = answer.results.filter(({ status }) => !isOk(status));
    out.print(BatchDeleteEntryResponseSchema, answer, () => {
      const lines = deleted.map(({ id }) => `Deleted entry with ID: ${id}\n`);
      const gap = deleted.length > 0 ? '\n\n' : '';
      return `${lines.join('')}${gap}${summary(deleted.length, failed.length)}`;
    });
    if (out.format === 'json') return;
    for (const { id, status } of failed) {
      out.remark(`Failed to delete entry with ID ${id} ${statusText(status)}\n`);
    }
    if (failed.length > 0) throw new Fault('unknown', 'failed to delete one or more entries');
  },
});

async function idsToDelete(
  { entryID, file }: FlagValues<typeof flags>,
  env: Pick<Env, 'readStdin'>,
): Promise<string[]> {
  if (file !== '') {
    const text = Buffer.from(await readInput(file, env)).toString();
    return [...(unmarshalGoJson(idsFile, text)?.ids ?? [])];
  }
  if (entryID === '') throw new Fault('invalid', 'an entry ID is required');
  return [entryID];
}

/** It ends without a new line, and one is `entries` too. */
function summary(deleted: number, failed: number): string {
  if (failed === 0) return `Deleted ${deleted} entries successfully`;
  if (deleted === 0) return `\n\nFailed to delete ${failed} entries`;
  return `\n\nDeleted ${deleted} entries successfully, but failed to delete ${failed} entries`;
}
