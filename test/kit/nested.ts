import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { writePem } from '../../src/crypto/pem.ts';
import { parseCertificates } from '../../src/crypto/x509/certificate.ts';
import { emptyBundle, type X509Authority } from '../../src/spiffe/bundle.ts';
import { verifyX509Svid } from '../../src/spiffe/x509-svid.ts';
import type { X509SVID } from '../../src/wire/gen/spiffe/workload/workload_pb.ts';
import { bundleJson } from './local-authority.ts';
import { eventually } from './programs.ts';
import {
  startTrustDomain,
  type TrustDomainOptions,
  type TrustDomainProcesses,
} from './trust-domain.ts';
import { type Workload, workloadOf } from './workload.ts';

export type NestedOptions = Pick<TrustDomainOptions, 'server'> & {
  /** Flags of the entry that the server above has for this one. */
  readonly entryFlags?: readonly string[];
};

/** A server below another, and an agent of its own: a workload of that user for the agent above. */
export async function startBelow(
  t: TestContext,
  above: TrustDomainProcesses,
  path: string,
  uid: number,
  { server, entryFlags = [] }: NestedOptions = {},
): Promise<TrustDomainProcesses> {
  await above.createEntry(path, [`unix:uid:${uid}`], '-downstream', ...entryFlags);
  return startTrustDomain(t, {
    ...(server !== undefined && { server }),
    serverAttestors: `NodeAttestor "join_token" { plugin_data {} } ${upstreamSpire(above, await above.socketFor(uid))}`,
  });
}

/** What makes a server one below that one. */
export const upstreamSpire = (above: TrustDomainProcesses, workloadApiSocket: string): string => `
  UpstreamAuthority "spire" {
    plugin_data {
      server_address = "127.0.0.1"
      server_port = "${above.port}"
      workload_api_socket = "${workloadApiSocket}"
    }
  }`;

/** The level's one workload that is no server. */
export async function workloadIn(
  t: TestContext,
  domain: TrustDomainProcesses,
  path: string,
): Promise<Workload> {
  await domain.createEntry(path, [`unix:uid:${WORKLOAD_UID}`]);
  const workload = workloadOf(t, await domain.socketFor(WORKLOAD_UID));
  await workload.has(domain.id(path));
  return workload;
}

const WORKLOAD_UID = 1001;

export async function svidOf(workload: Workload): Promise<X509SVID> {
  const [svid] = (await workload.x509()).svids;
  return svid ?? assert.fail('no SVID');
}

/** Throws unless the SVID, with the chain that comes with it, leads to one of these roots. */
export async function verifies(
  { x509Svid }: Pick<X509SVID, 'x509Svid'>,
  roots: readonly X509Authority[],
): Promise<void> {
  await verifyX509Svid(
    parseCertificates(x509Svid).map(({ der }) => der),
    (trustDomain) => ({ ...emptyBundle(trustDomain), x509Authorities: roots }),
    Date.now() / 1000,
  );
}

/** One workload serves, the other calls; each shows its SVID and verifies the other's with its own bundle, by OpenSSL. */
export async function handshake(server: X509SVID, client: X509SVID): Promise<void> {
  const listener = createServer({ ...tlsOptions(server), requestCert: true });
  const accepted = once(listener, 'secureConnection') as Promise<[TLSSocket]>;
  accepted.catch(() => undefined);
  const failed = once(listener, 'tlsClientError').then(([error]) => {
    throw error;
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  const socket = connect({
    ...tlsOptions(client),
    port,
    host: '127.0.0.1',
    checkServerIdentity: () => undefined,
  });
  try {
    await Promise.race([Promise.all([once(socket, 'secureConnect'), accepted]), failed]);
  } finally {
    failed.catch(() => undefined);
    socket.destroy();
    listener.close();
  }
}

function tlsOptions({ x509Svid, x509SvidKey, bundle }: X509SVID) {
  const pem = (concatenated: Uint8Array) =>
    parseCertificates(concatenated)
      .map(({ der }) => writePem('CERTIFICATE', der))
      .join('');
  return {
    cert: pem(x509Svid),
    key: writePem('PRIVATE KEY', x509SvidKey),
    ca: pem(bundle),
    rejectUnauthorized: true,
  };
}

/** Until a server knows exactly these roots, with their taints, in any order. */
export async function knowsRoots(
  domain: TrustDomainProcesses,
  expected: readonly { readonly asn1: string; readonly tainted: boolean }[],
): Promise<void> {
  const text = (roots: readonly { readonly asn1: string; readonly tainted: boolean }[]) =>
    roots
      .map(({ asn1, tainted }) => `${asn1} ${tainted}`)
      .toSorted()
      .join();
  await eventually(
    async () => text((await bundleJson(domain)).x509_authorities) === text(expected),
    `${expected.length} roots`,
  );
}
