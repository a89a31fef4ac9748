import { Fault } from '../../../base/fault.ts';
import type { FederationRelationship } from '../../../wire/gen/spire/api/types/federationrelationship_pb.ts';
import type { Env } from '../../kit/env.ts';
import { readInputFile } from '../../kit/files.ts';
import { type FlagValues, flag } from '../../kit/flag.ts';
import { prefixed, within } from '../../kit/prefixed.ts';
import { bundleFormat } from '../bundle/bundle-format.ts';
import { readRelationshipFile } from './relationship-file.ts';
import { relationshipMessage } from './relationship-message.ts';

/** The flags by which `federation create` and `federation update` say what a relationship shall be. */
export const relationshipFlags = {
  trustDomain: flag.string('Trust domain to federate with'),
  bundleEndpointURL: flag.string('URL where its bundle is to be had; https only'),
  bundleEndpointProfile: flag.string(
    'How the endpoint proves who it is: https_web (by a certificate of the web) or https_spiffe (by an SVID)',
  ),
  endpointSpiffeID: flag.string('SPIFFE ID of the endpoint; for https_spiffe only'),
  trustDomainBundlePath: flag.string('File with the bundle to begin with'),
  trustDomainBundleFormat: flag.string('Format of that file: pem or spiffe', 'pem'),
  data: flag.string('JSON file with relationships, - for standard input'),
};

type Given = FlagValues<typeof relationshipFlags>;

/** The relationships that the flags, or the file that they name, describe. Throws 'invalid'. */
export async function givenRelationships(
  given: Given,
  env: Pick<Env, 'readStdin'>,
): Promise<FederationRelationship[]> {
  if (given.data === '')
    return [await relationshipMessage(given, (owner) => readBundle(given, owner))];
  const others = Object.entries(relationshipFlags).filter(([name]) => name !== 'data');
  if (others.some(([name, { initial }]) => given[name as keyof Given] !== initial)) {
    throw new Fault(
      'invalid',
      "cannot use other flags to specify relationship fields when 'data' flag is set",
    );
  }
  return readRelationshipFile(given.data, env);
}

/** Any format but PEM is taken for a bundle document, as SPIRE does. */
async function readBundle(
  { trustDomainBundlePath: path, trustDomainBundleFormat: format }: Given,
  trustDomain: string,
) {
  if (path === '') return undefined;
  const content = await readInputFile(path).catch(prefixed('cannot read bundle file'));
  const { read } = bundleFormat(format === 'pem' ? format : 'spiffe');
  return within('cannot parse bundle file', () => read(trustDomain, content));
}
