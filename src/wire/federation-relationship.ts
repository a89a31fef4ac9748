import type { MessageInitShape } from '@bufbuild/protobuf';
import { Fault } from '../base/fault.ts';
import { goQuote } from '../base/go-quote.ts';
import { parseGoUrl } from '../base/go-url.ts';
import type { Bundle } from '../spiffe/bundle.ts';
import type {
  BundleEndpointProfile,
  FederationRelationship,
} from '../spiffe/federation-relationship.ts';
import { SpiffeId } from '../spiffe/spiffe-id.ts';
import { TrustDomain } from '../spiffe/trust-domain.ts';
import { bundleFromProto, bundleToProto } from './bundle.ts';
import type {
  FederationRelationshipMask,
  FederationRelationshipSchema,
  FederationRelationship as ProtoRelationship,
} from './gen/spire/api/types/federationrelationship_pb.ts';
import { masked } from './masked.ts';
import { prefixed } from './prefixed.ts';

export type RelationshipAndBundle = {
  readonly relationship: FederationRelationship;
  /** undefined: none was given. */
  readonly bundle: Bundle | undefined;
};

/** All fields are checked, whatever the mask. Throws 'invalid' with SPIRE's words (`reference/server.md` §14.6). */
export function relationshipFromProto(proto: ProtoRelationship | undefined): RelationshipAndBundle {
  if (proto === undefined) throw new Fault('invalid', 'missing federation relationship');
  const trustDomain = prefixed('failed to parse trust domain', () =>
    TrustDomain.parse(proto.trustDomain),
  );
  const bundleEndpointUrl = parseBundleEndpointUrl(proto.bundleEndpointUrl);
  const bundleEndpointProfile = profileFromProto(proto.bundleEndpointProfile);
  const bundle = proto.trustDomainBundle && bundleOf(proto.trustDomainBundle, trustDomain);
  return { relationship: { trustDomain, bundleEndpointUrl, bundleEndpointProfile }, bundle };
}

/** The URL as Go prints it. Throws 'invalid'. */
export function parseBundleEndpointUrl(text: string): string {
  const url = prefixed('failed to parse bundle endpoint URL', () => parseGoUrl(text));
  if (url.scheme !== 'https') {
    throw new Fault('invalid', 'bundle endpoint URL must use the https scheme');
  }
  if (url.host === '') throw new Fault('invalid', 'bundle endpoint URL must specify the host');
  if (url.hasUserInfo) {
    throw new Fault('invalid', 'bundle endpoint URL must not contain user info');
  }
  return url.text;
}

/** All fields, or those of the mask; the trust domain's name always. */
export function relationshipToProto(
  { trustDomain, bundleEndpointUrl, bundleEndpointProfile }: FederationRelationship,
  bundle: Bundle | undefined,
  mask?: FederationRelationshipMask,
): MessageInitShape<typeof FederationRelationshipSchema> {
  const fields = {
    bundleEndpointUrl,
    bundleEndpointProfile: profileToProto(bundleEndpointProfile),
    ...(bundle && { trustDomainBundle: bundleToProto(bundle) }),
  };
  return { trustDomain: trustDomain.name, ...masked(fields, mask) };
}

function profileFromProto(
  profile: ProtoRelationship['bundleEndpointProfile'],
): BundleEndpointProfile {
  switch (profile.case) {
    case 'httpsWeb':
      return { kind: 'https_web' };
    case 'httpsSpiffe':
      return {
        kind: 'https_spiffe',
        endpointSpiffeId: prefixed('failed to parse endpoint SPIFFE ID', () =>
          SpiffeId.parse(profile.value.endpointSpiffeId),
        ),
      };
    case undefined:
      throw new Fault('invalid', 'unsupported bundle endpoint profile type: <nil>');
    default:
      return profile satisfies never;
  }
}

type ProtoProfile = NonNullable<
  MessageInitShape<typeof FederationRelationshipSchema>['bundleEndpointProfile']
>;

const profileToProto = (profile: BundleEndpointProfile): ProtoProfile =>
  profile.kind === 'https_web'
    ? { case: 'httpsWeb', value: {} }
    : {
        case: 'httpsSpiffe',
        value: { endpointSpiffeId: profile.endpointSpiffeId.toString() },
      };

function bundleOf(
  proto: NonNullable<ProtoRelationship['trustDomainBundle']>,
  trustDomain: TrustDomain,
): Bundle {
  const bundle = prefixed('failed to parse bundle', () => bundleFromProto(proto));
  if (!bundle.trustDomain.equals(trustDomain)) {
    throw new Fault(
      'invalid',
      `trust domain bundle (${goQuote(proto.trustDomain)}) must match the trust domain of the federation ` +
        `relationship (${goQuote(trustDomain.name)})`,
    );
  }
  return bundle;
}
