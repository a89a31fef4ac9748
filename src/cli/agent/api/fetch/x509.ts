import { unixSeconds } from '../../../../base/clock.ts';
import {
  SpiffeWorkloadAPI,
  X509SVIDResponseSchema,
} from '../../../../wire/gen/spiffe/workload/workload_pb.ts';
import { firstMessage } from '../../../kit/first-message.ts';
import { flag } from '../../../kit/flag.ts';
import { workloadCommand } from '../../../kit/workload-command.ts';
import { writeX509Files } from '../write-x509-files.ts';
import { x509Report } from '../x509-report.ts';
import { readX509Update } from '../x509-update.ts';

const x509Command = (name: string) =>
  workloadCommand({
    name,
    usageTitle: 'fetch x509',
    flags: {
      silent: flag.bool('Do not print the X509-SVIDs'),
      write: flag.string('Folder to write the X509-SVIDs, keys and bundles to'),
    },
    services: { workload: SpiffeWorkloadAPI },
    async run({ silent, write }, { api, out, clock }) {
      const started = clock.now();
      const response = await firstMessage(api.workload.fetchX509SVID({}));
      const elapsed = clock.now() - started;
      if (out.format === 'json') {
        out.printJson(X509SVIDResponseSchema, response);
        return;
      }
      const update = await readX509Update(response, unixSeconds(clock));
      if (!silent) out.write(x509Report(update, elapsed));
      if (write !== '') await writeX509Files(out, write, update);
    },
  });

export const apiFetchX509 = x509Command('api fetch x509');

/** The same command by its shorter name. */
export const apiFetch = x509Command('api fetch');
