import {
  Bundle,
  ListFederatedBundlesResponseSchema,
} from '../../../wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import {
  type Bundle as BundleMessage,
  BundleSchema,
} from '../../../wire/gen/spire/api/types/bundle_pb.ts';
import { flag } from '../../kit/flag.ts';
import { serverCommand } from '../../kit/server-command.ts';
import { bundleFormat } from './bundle-format.ts';

const RULE = '*'.repeat(40);

export const bundleList = serverCommand({
  name: 'bundle list',
  flags: {
    id: flag.string('The one trust domain to show, by name or SPIFFE ID'),
    format: flag.string('Format of the text: pem or spiffe', 'pem'),
  },
  services: { bundle: Bundle },
  async run({ id, format }, { api, out }) {
    const body = (bundle: BundleMessage): string => bundleFormat(format).write(bundle);
    if (id !== '') {
      out.print(BundleSchema, await api.bundle.getFederatedBundle({ trustDomain: id }), body);
      return;
    }
    const all = await api.bundle.listFederatedBundles({});
    out.print(ListFederatedBundlesResponseSchema, all, ({ bundles }) =>
      bundles
        .map((bundle) => `${RULE}\n* ${bundle.trustDomain}\n${RULE}\n${body(bundle)}`)
        .join('\n'),
    );
  },
});
