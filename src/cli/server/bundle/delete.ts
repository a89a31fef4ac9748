import { Fault } from '../../../base/fault.ts';
import { goQuote } from '../../../base/go-quote.ts';
import {
  BatchDeleteFederatedBundleResponseSchema,
  Bundle,
  BatchDeleteFederatedBundleRequest_Mode as Mode,
} from '../../../wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import { flag } from '../../kit/flag.ts';
import { isOk } from '../../kit/item-status.ts';
import { prefixed } from '../../kit/prefixed.ts';
import { serverCommand } from '../../kit/server-command.ts';

const MODES: Readonly<Record<string, Mode | undefined>> = {
  '': Mode.RESTRICT,
  restrict: Mode.RESTRICT,
  delete: Mode.DELETE,
  dissociate: Mode.DISSOCIATE,
};

const FAILED = 'failed to delete federated bundle';

export const bundleDelete = serverCommand({
  name: 'bundle delete',
  flags: {
    id: flag.string('Trust domain of the bundle, by name or SPIFFE ID'),
    mode: flag.string(
      'What becomes of entries that federate with it: restrict (it stays), delete or dissociate',
      'restrict',
    ),
  },
  services: { bundle: Bundle },
  async run({ id, mode: modeName }, { api, out }) {
    if (id === '') throw new Fault('invalid', 'id is required');
    const mode = Object.hasOwn(MODES, modeName) ? MODES[modeName] : undefined;
    if (mode === undefined) throw new Fault('invalid', `unsupported mode ${goQuote(modeName)}`);
    const answer = await api.bundle
      .batchDeleteFederatedBundle({ trustDomains: [id], mode })
      .catch(prefixed(FAILED));
    out.print(BatchDeleteFederatedBundleResponseSchema, answer, ({ results }) => {
      const failed = results.find(({ status }) => !isOk(status));
      if (failed === undefined) return 'bundle deleted.\n';
      const { trustDomain, status } = failed;
      throw new Fault('unknown', `${FAILED} ${goQuote(trustDomain)}: ${status?.message ?? ''}`);
    });
  },
});
