import type { Certificate } from '../../crypto/x509/certificate.ts';
import type { SpiffeId } from '../../spiffe/spiffe-id.ts';

/** Who is at the other end of a connection, as found out before the first byte of a call is read. */
export type Peer = LocalPeer | TcpPeer;

/** A process of this machine, connected to the private socket. */
export type LocalPeer = {
  readonly kind: 'local';
  readonly pid: number;
  /** Effective IDs at the moment of connecting. */
  readonly uid: number;
  readonly gid: number;
};

export type TcpPeer = {
  readonly kind: 'tcp';
  /** The IP address; IPv4 is never written as IPv6. */
  readonly address: string;
  readonly port: number;
  /** The verified chain, leaf first, root last; empty: no certificate was presented. */
  readonly chain: readonly Certificate[];
  /** The leaf's SPIFFE ID: of the own trust domain, or one of `admin_ids`; undefined with an empty chain. */
  readonly id: SpiffeId | undefined;
};
