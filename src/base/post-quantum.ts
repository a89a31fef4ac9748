/**
 * TLS that agrees on keys in no way which a quantum computer could undo (`require_pq_kem`): the groups that SPIRE means
 * by it, which exist in TLS 1.3 only.
 */
export const postQuantumTls = {
  minVersion: 'TLSv1.3',
  ecdhCurve: 'X25519MLKEM768:SecP256r1MLKEM768:SecP384r1MLKEM1024',
} as const;
