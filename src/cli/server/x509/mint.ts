import { join } from 'node:path';
import { Fault } from '../../../base/fault.ts';
import { buildCsr } from '../../../crypto/csr.ts';
import { generateKey } from '../../../crypto/keys.ts';
import { writePem } from '../../../crypto/pem.ts';
import type { Client } from '../../../rpc/dial.ts';
import { SpiffeId } from '../../../spiffe/spiffe-id.ts';
import { Bundle } from '../../../wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import { SVID } from '../../../wire/gen/spire/api/server/svid/v1/svid_pb.ts';
import { fileModes, writeOutput } from '../../kit/files.ts';
import { flag } from '../../kit/flag.ts';
import { secondsInt32 } from '../../kit/int32.ts';
import { cappedText } from '../../kit/lifetime.ts';
import type { Out } from '../../kit/out.ts';
import { prefixed } from '../../kit/prefixed.ts';
import { serverCommand } from '../../kit/server-command.ts';

type Minted = {
  readonly chain: readonly Uint8Array[];
  readonly privateKey: Uint8Array;
  readonly rootCas: readonly Uint8Array[];
};

export const x509Mint = serverCommand({
  name: 'x509 mint',
  flags: {
    spiffeID: flag.string('SPIFFE ID of the X509-SVID'),
    ttl: flag.duration("Lifetime of the X509-SVID; 0 is the server's default"),
    dns: flag.strings('DNS name to put into the X509-SVID; may be given again'),
    write: flag.string('Folder to write the X509-SVID, its key and the root CAs to'),
  },
  services: { svid: SVID, bundle: Bundle },
  async run({ spiffeID, ttl, dns, write }, { api, out, clock }) {
    if (spiffeID === '') throw new Fault('invalid', 'spiffeID must be specified');
    const id = SpiffeId.parse(spiffeID);
    const ttlSeconds = secondsInt32('TTL', ttl);
    const key = await generateKey('ec-p256').catch(prefixed('unable to generate key'));
    const csr = await buildCsr({ uris: [id.toString()], dnsNames: dns }, key).catch(
      prefixed('unable to generate CSR'),
    );
    const { chain, expiresAt } = await mint(api.svid, csr, ttlSeconds);
    const rootCas = await ownRootCas(api.bundle);
    const capped = cappedText('X509-SVID', expiresAt, ttl, clock);
    if (capped !== undefined) out.remark(capped);
    const minted = { chain, privateKey: key.toPkcs8(), rootCas };
    if (write === '') print(out, minted);
    else await writeFiles(out, write, minted);
  },
});

async function mint(
  svids: Pick<Client<typeof SVID>, 'mintX509SVID'>,
  csr: Uint8Array,
  ttl: number,
): Promise<{ chain: readonly Uint8Array[]; expiresAt: bigint }> {
  const { svid } = await svids.mintX509SVID({ csr, ttl }).catch(prefixed('unable to mint SVID'));
  if (svid === undefined || svid.certChain.length === 0) {
    throw new Fault('unknown', 'server response missing SVID chain');
  }
  return { chain: svid.certChain, expiresAt: svid.expiresAt };
}

async function ownRootCas(
  bundles: Pick<Client<typeof Bundle>, 'getBundle'>,
): Promise<readonly Uint8Array[]> {
  const { x509Authorities } = await bundles.getBundle({}).catch(prefixed('unable to get bundle'));
  if (x509Authorities.length === 0) {
    throw new Fault('unknown', 'server response missing X509 Authorities');
  }
  return x509Authorities.map(({ asn1 }) => asn1);
}

const pems = (ders: readonly Uint8Array[]): string =>
  ders.map((der) => writePem('CERTIFICATE', der)).join('');

const keyPem = (pkcs8: Uint8Array): string => writePem('PRIVATE KEY', pkcs8);

function print(out: Out, { chain, privateKey, rootCas }: Minted): void {
  const base64 = (der: Uint8Array): string => Buffer.from(der).toString('base64');
  const answer = {
    x509_svid: chain.map(base64),
    private_key: base64(privateKey),
    root_cas: rootCas.map(base64),
  };
  out.printStruct(
    answer,
    () =>
      `X509-SVID:\n${pems(chain)}\n` +
      `Private key:\n${keyPem(privateKey)}\n` +
      `Root CAs:\n${pems(rootCas)}\n`,
  );
}

async function writeFiles(out: Out, folder: string, minted: Minted): Promise<void> {
  const files = [
    ['svid.pem', pems(minted.chain), fileModes.public, 'SVID', 'X509-SVID'],
    ['key.pem', keyPem(minted.privateKey), fileModes.private, 'key', 'Private key'],
    ['bundle.pem', pems(minted.rootCas), fileModes.public, 'bundle', 'Root CAs'],
  ] as const;
  for (const [name, content, mode, what, title] of files) {
    const path = join(folder, name);
    await writeOutput(path, content, mode).catch(prefixed(`unable to write ${what}`));
    out.write(`${title} written to ${path}\n`);
  }
}
