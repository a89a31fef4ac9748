import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { TrustDomain } from './trust-domain.ts';

/** How two servers find and verify each other's bundle endpoint (SPIFFE Federation §5.2). */
export type Profile = {
  /** The `federation` section of one server's configuration. */
  readonly section: (own: TrustDomain, other: TrustDomain) => string;
  /** File with what vouches for certificates of the web; undefined: nobody needs it. */
  readonly authority: string | undefined;
  /** Whether somebody must carry the first bundle, with which all later ones are verified. */
  readonly needsBootstrap: boolean;
};

/** An endpoint shows the server's own SVID. */
const spiffe = async (): Promise<Profile> => ({
  section: (own, other) => `federation {
    bundle_endpoint { address = "127.0.0.1" port = ${own.endpointPort} profile "https_spiffe" {} }
    federates_with "${other.name}" {
      bundle_endpoint_url = "https://localhost:${other.endpointPort}"
      bundle_endpoint_profile "https_spiffe" { endpoint_spiffe_id = "${other.id('/spire/server')}" }
    }
  }`,
  authority: undefined,
  needsBootstrap: true,
});

/**
 * An endpoint shows a certificate that everybody's browser would believe. Here it is one of our own making, which the
 * servers are told to believe (SSL_CERT_FILE); outside it would come from a public authority, by ACME for example.
 */
async function web(folder: string): Promise<Profile> {
  const [cert, key] = [join(folder, 'web.pem'), join(folder, 'web.key')];
  const how = '-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=localhost';
  const what = `-addext subjectAltName=DNS:localhost -keyout ${key} -out ${cert}`;
  await promisify(execFile)('openssl', `req -x509 ${how} ${what}`.split(' '));
  return {
    section: (own, other) => `federation {
    bundle_endpoint {
      address = "127.0.0.1"
      port = ${own.endpointPort}
      profile "https_web" {
        serving_cert_file { cert_file_path = "${cert}" key_file_path = "${key}" file_sync_interval = "1h" }
      }
    }
    federates_with "${other.name}" {
      bundle_endpoint_url = "https://localhost:${other.endpointPort}"
      bundle_endpoint_profile "https_web" {}
    }
  }`,
    authority: cert,
    needsBootstrap: false,
  };
}

/** The folder is for files that it needs. */
export type MakeProfile = (folder: string) => Promise<Profile>;

export const profiles: Readonly<Record<string, MakeProfile | undefined>> = {
  https_spiffe: spiffe,
  https_web: web,
};
