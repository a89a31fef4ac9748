import { Bundle } from '../../../wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import { BundleSchema } from '../../../wire/gen/spire/api/types/bundle_pb.ts';
import { flag } from '../../kit/flag.ts';
import { serverCommand } from '../../kit/server-command.ts';
import { bundleFormat } from './bundle-format.ts';

export const bundleShow = serverCommand({
  name: 'bundle show',
  flags: { format: flag.string('Format of the text: pem or spiffe', 'pem') },
  services: { bundle: Bundle },
  async run({ format }, { api, out }) {
    const shown = await api.bundle.getBundle({});
    out.print(BundleSchema, shown, (bundle) => bundleFormat(format).write(bundle));
  },
});
