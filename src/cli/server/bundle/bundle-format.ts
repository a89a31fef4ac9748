import type { MessageInitShape } from '@bufbuild/protobuf';
import { Fault } from '../../../base/fault.ts';
import { goQuote } from '../../../base/go-quote.ts';
import { readPem, writePem } from '../../../crypto/pem.ts';
import { parseCertificate } from '../../../crypto/x509/certificate.ts';
import { readSpiffeBundle, writeBundleDocument } from '../../../spiffe/bundle-document.ts';
import { TrustDomain } from '../../../spiffe/trust-domain.ts';
import { bundleFromProto, bundleToProto } from '../../../wire/bundle.ts';
import type { Bundle, BundleSchema } from '../../../wire/gen/spire/api/types/bundle_pb.ts';
import { within } from '../../kit/prefixed.ts';

type BundleMessage = MessageInitShape<typeof BundleSchema>;

/** A way to write a bundle in a file (`reference/cli.md` §4.7.1). */
export type BundleFormat = {
  readonly write: (bundle: Bundle) => string;
  /** The bundle that a file holds for the trust domain that `-id` names. Throws 'invalid'. */
  readonly read: (id: string, content: Uint8Array) => BundleMessage;
};

const formats: Readonly<Record<string, BundleFormat | undefined>> = {
  pem: {
    write: ({ x509Authorities }) =>
      x509Authorities.map(({ asn1 }) => writePem('CERTIFICATE', asn1)).join(''),
    read: (id, content) => ({ trustDomain: id, x509Authorities: certificates(content) }),
  },
  spiffe: {
    write: (bundle) => `${writeBundleDocument(bundleFromProto(bundle))}\n`,
    read: (id, content) => {
      const trustDomain = TrustDomain.parse(id);
      return within('unable to parse to spiffe bundle', () => {
        const bundle = readSpiffeBundle(trustDomain, content);
        return bundleToProto({ ...bundle, witAuthorities: [] });
      });
    },
  },
};

/** The format that `-format` names; none is PEM. Throws 'invalid'. */
export function bundleFormat(name: string): BundleFormat {
  const lowered = name.toLowerCase() || 'pem';
  const format = Object.hasOwn(formats, lowered) ? formats[lowered] : undefined;
  if (format === undefined) throw new Fault('invalid', `invalid format: ${goQuote(lowered)}`);
  return format;
}

const certificates = (content: Uint8Array) =>
  within('unable to parse bundle data', () => {
    const blocks = readPem(content);
    if (blocks.length === 0) throw new Fault('invalid', 'no PEM blocks');
    return blocks.map(({ type, der }, index) => {
      if (type !== 'CERTIFICATE') {
        throw new Fault('invalid', `expected block type "CERTIFICATE"; got ${goQuote(type)}`);
      }
      within(`unable to parse "CERTIFICATE" PEM block ${index + 1}`, () => parseCertificate(der));
      return { asn1: der };
    });
  });
