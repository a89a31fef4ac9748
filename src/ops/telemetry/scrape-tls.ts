import { Fault, wrapFault } from '../../base/fault.ts';
import { readFileBounded } from '../../base/files.ts';
import { goFileError } from '../../base/go-file-error.ts';
import type { PrometheusSettings } from '../telemetry-settings.ts';

/** A certificate with its chain, and the key of it; PEM. */
export type TlsPair = { readonly cert: string; readonly key: string };

/** How the endpoint proves itself, and whom it answers. */
export type ScrapeTls = {
  /** undefined: the program's own SVID. */
  readonly files: { readonly cert: string; readonly key: string } | undefined;
  /** PEM: who connects must have a certificate of one of these authorities. */
  readonly clientCa: string | undefined;
  /** Not empty: who connects must have an X509-SVID with one of these IDs. */
  readonly authorizedIds: ReadonlySet<string>;
  /** Keys are agreed on in no way which a quantum computer could undo. */
  readonly postQuantumOnly: boolean;
};

type TlsSettings = NonNullable<PrometheusSettings['tls']>;
/** Throws if it is no SPIFFE ID; gives its plain form. */
type NormalizeId = (text: string) => string;

const MAX_PEM_BYTES = 1024 * 1024;

/** Checks the `tls` block, and reads the files it names once. Throws 'invalid' with SPIRE's words. */
export async function readScrapeTls(
  settings: TlsSettings,
  normalizeId: NormalizeId,
): Promise<ScrapeTls> {
  try {
    const tls = checked(settings, normalizeId);
    if (tls.files !== undefined) await readTlsPair(tls.files);
    const clientCa = settings.clientCaFile && (await readPem(settings.clientCaFile));
    return { ...tls, clientCa: clientCa || undefined };
  } catch (error) {
    throw wrapFault('failed to create TLS config for Prometheus', error, 'invalid');
  }
}

export const readTlsPair = async (files: TlsPair): Promise<TlsPair> => ({
  cert: await readPem(files.cert),
  key: await readPem(files.key),
});

function checked(settings: TlsSettings, normalizeId: NormalizeId): Omit<ScrapeTls, 'clientCa'> {
  const { certFile, keyFile, clientCaFile, useSpireSvid, authorizedSpiffeIds } = settings;
  if (useSpireSvid && (certFile !== '' || keyFile !== '')) {
    throw invalid('cert_file and key_file cannot be configured when use_spire_svid is enabled');
  }
  if (!useSpireSvid && (certFile === '' || keyFile === '')) {
    throw invalid(
      'cert_file and key_file must both be configured unless use_spire_svid is enabled',
    );
  }
  if (clientCaFile !== '' && authorizedSpiffeIds.length > 0) {
    throw invalid('client_ca_file cannot be configured with authorized_spiffe_ids');
  }
  return {
    files: useSpireSvid ? undefined : { cert: certFile, key: keyFile },
    authorizedIds: new Set(authorizedSpiffeIds.map((id) => normalized(id, normalizeId))),
    postQuantumOnly: settings.postQuantumOnly === true,
  };
}

function normalized(id: string, normalizeId: NormalizeId): string {
  try {
    return normalizeId(id);
  } catch (error) {
    throw wrapFault(`invalid authorized SPIFFE ID "${id}"`, error);
  }
}

async function readPem(path: string): Promise<string> {
  try {
    return Buffer.from(await readFileBounded(path, MAX_PEM_BYTES)).toString('utf8');
  } catch (error) {
    throw goFileError('open', path, error);
  }
}

const invalid = (message: string): Fault => new Fault('invalid', message);
