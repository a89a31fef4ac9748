import {
  Bundle,
  CountBundlesResponseSchema,
} from '../../../wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import { serverCommand } from '../../kit/server-command.ts';

export const bundleCount = serverCommand({
  name: 'bundle count',
  flags: {},
  services: { bundle: Bundle },
  async run(_flags, { api, out }) {
    const answer = await api.bundle.countBundles({});
    out.print(
      CountBundlesResponseSchema,
      answer,
      ({ count }) => `${count} bundle${count === 1 ? '' : 's'}\n`,
    );
  },
});
