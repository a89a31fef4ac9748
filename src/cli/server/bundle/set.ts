import { Fault } from '../../../base/fault.ts';
import {
  BatchSetFederatedBundleResponseSchema,
  Bundle,
} from '../../../wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import { readInput } from '../../kit/files.ts';
import { flag } from '../../kit/flag.ts';
import { isOk } from '../../kit/item-status.ts';
import { prefixed } from '../../kit/prefixed.ts';
import { serverCommand } from '../../kit/server-command.ts';
import { bundleFormat } from './bundle-format.ts';

export const bundleSet = serverCommand({
  name: 'bundle set',
  flags: {
    id: flag.string('Trust domain of the bundle, by name or SPIFFE ID'),
    path: flag.string('File that holds the bundle; standard input if there is none'),
    format: flag.string('Format of the file: pem or spiffe', 'pem'),
  },
  services: { bundle: Bundle },
  async run({ id, path, format }, { api, out, readStdin }) {
    if (id === '') throw new Fault('invalid', 'id flag is required');
    const { read } = bundleFormat(format);
    const content = await readInput(path || '-', { readStdin }).catch(prefixed(LOAD));
    const answer = await api.bundle
      .batchSetFederatedBundle({ bundle: [read(id, content)] })
      .catch(prefixed(SET));
    out.print(BatchSetFederatedBundleResponseSchema, answer, ({ results }) => {
      const failed = results.find(({ status }) => !isOk(status));
      if (failed === undefined) return 'bundle set.\n';
      throw new Fault('unknown', `${SET}: ${failed.status?.message ?? ''}`);
    });
  },
});

const LOAD = 'unable to load bundle data';
const SET = 'failed to set federated bundle';
