import { create, type DescMessage, type Message, toBinary } from '@bufbuild/protobuf';
import { type Any, AnySchema } from '@bufbuild/protobuf/wkt';
import { Fault } from '../../base/fault.ts';
import { goQuote } from '../../base/go-quote.ts';
import { writePem } from '../../crypto/pem.ts';
import { parseCertificates } from '../../crypto/x509/certificate.ts';
import type { Bundle } from '../../spiffe/bundle.ts';
import {
  SecretSchema,
  SPIFFECertValidatorConfigSchema,
} from '../../wire/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts';
import type { X509Svid } from '../cache/workload-update.ts';
import type { Validator } from './validator.ts';

/** One secret as Envoy takes it. */
export type Secret = { readonly name: string; readonly resource: Any };

const SPIFFE_VALIDATOR = 'envoy.tls.cert_validator.spiffe';

export function certificateSecret(name: string, svid: X509Svid): Secret {
  return secret({
    name,
    type: {
      case: 'tlsCertificate',
      value: {
        certificateChain: inline(certificatesPem(parseCertificates(svid.chain))),
        privateKey: inline(writePem('PRIVATE KEY', svid.privateKey)),
      },
    },
  });
}

/** How peers of one trust domain are checked. */
export function bundleSecret(name: string, bundle: Bundle, validator: Validator): Secret {
  if (validator === 'spiffe') return spiffeValidation(name, [bundle]);
  return secret({
    name,
    type: {
      case: 'validationContext',
      value: { trustedCa: inline(authoritiesPem(bundle, 'internal')) },
    },
  });
}

/** How peers of several trust domains are checked, each against its own authorities. */
export function allBundlesSecret(
  name: string,
  bundles: readonly Bundle[],
  validator: Validator,
): Secret {
  // One list of authorities would let each trust domain speak for the others.
  if (validator === 'root-ca') {
    throw new Fault('internal', 'unable to use "SPIFFE validator" on Envoy below 1.17');
  }
  return spiffeValidation(name, bundles);
}

function spiffeValidation(name: string, bundles: readonly Bundle[]): Secret {
  const trustDomains = bundles
    .map((bundle) => ({
      name: bundle.trustDomain.name,
      trustBundle: inline(authoritiesPem(bundle, 'not-found')),
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const config = create(SPIFFECertValidatorConfigSchema, { trustDomains });
  return secret({
    name,
    type: {
      case: 'validationContext',
      value: {
        customValidatorConfig: {
          name: SPIFFE_VALIDATOR,
          typedConfig: anyOf(SPIFFECertValidatorConfigSchema, config),
        },
      },
    },
  });
}

type SecretInit = Parameters<typeof create<typeof SecretSchema>>[1];

function secret(init: SecretInit & { name: string }): Secret {
  return { name: init.name, resource: anyOf(SecretSchema, create(SecretSchema, init)) };
}

/** The same message is always the same bytes, so that equal secrets can be told by them. */
const anyOf = (schema: DescMessage, message: Message): Any =>
  create(AnySchema, {
    typeUrl: `type.googleapis.com/${schema.typeName}`,
    value: toBinary(schema, message),
  });

const inline = (pem: string) => ({
  specifier: { case: 'inlineBytes' as const, value: Buffer.from(pem) },
});

/** Tainted authorities too, since SVIDs of theirs are still about. Nothing is a bundle without any. */
function authoritiesPem(
  { trustDomain, x509Authorities }: Bundle,
  kindIfMissing: 'internal' | 'not-found',
): string {
  if (x509Authorities.length === 0) {
    throw new Fault(
      kindIfMissing,
      `no bundle found for trust domain: ${goQuote(trustDomain.idString)}`,
    );
  }
  return certificatesPem(x509Authorities);
}

const certificatesPem = (certificates: readonly { readonly der: Uint8Array }[]): string =>
  certificates.map(({ der }) => writePem('CERTIFICATE', der)).join('');
