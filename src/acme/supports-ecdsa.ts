import type { ClientHello } from './client-hello.ts';

/** ecdsa_secp256r1_sha256, ecdsa_secp384r1_sha384, ecdsa_secp521r1_sha512 (RFC 8446 §4.2.3). */
const ECDSA_SCHEMES: ReadonlySet<number> = new Set([0x0403, 0x0503, 0x0603]);
/** RFC 8446 §4.2.7. */
const SECP256R1 = 23;
/** ECDHE_ECDSA suites of TLS 1.2 that we speak (RFC 5289, RFC 7905), and those of TLS 1.3, which say nothing of it. */
const SUITES: ReadonlySet<number> = new Set([0xc02b, 0xc02c, 0xcca9, 0x1301, 0x1302, 0x1303]);

/** Whether a client can verify an ECDSA certificate on P-256; all others get one with RSA. */
export const supportsEcdsa = ({ signatureSchemes, groups, cipherSuites }: ClientHello): boolean =>
  (signatureSchemes === undefined ||
    signatureSchemes.some((scheme) => ECDSA_SCHEMES.has(scheme))) &&
  (groups === undefined || groups.includes(SECP256R1)) &&
  cipherSuites.some((suite) => SUITES.has(suite));
