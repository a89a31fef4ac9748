import { stat } from 'node:fs/promises';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import type { Clock } from '../../../base/clock.ts';
import { formatGoDuration } from '../../../base/duration.ts';
import { Fault, reasonOf, wrapFault } from '../../../base/fault.ts';
import { readFileBounded } from '../../../base/files.ts';
import { goFileError } from '../../../base/go-file-error.ts';
import { repeat } from '../../../base/repeat.ts';
import type { Log } from '../../../ops/log.ts';
import type { CertificateFilesConfig } from '../../config/federation-config.ts';
import { type EndpointIdentity, Listeners } from './endpoint-identity.ts';

/** A chain and a key are some kilobytes. */
const MAX_FILE_BYTES = 1024 * 1024;

type Files = Pick<CertificateFilesConfig, 'certFilePath' | 'keyFilePath'>;
type Pair = { readonly cert: Buffer; readonly key: Buffer };

/**
 * Profile `https_web` with files, which are read again when one of them has changed; what cannot be used changes
 * nothing (`reference/server.md` §10.1). Throws 'failed-precondition' if there is no pair to start with.
 */
export async function certificateFilesIdentity(
  config: CertificateFilesConfig,
  clock: Clock,
  log: Log,
): Promise<EndpointIdentity> {
  const milliseconds = config.syncIntervalSeconds * 1000;
  const listeners = new Listeners<SecureContextOptions>();
  let seen = await modificationTimes(config).catch(loadFault);
  let pair: Pair = await load(config).catch(loadFault);

  const check = async () => {
    try {
      const times = await modificationTimes(config);
      if (times === seen) return;
      log.info('File change detected, reloading certificate and key...');
      pair = await load(config);
      seen = times;
    } catch (error) {
      log.error('Failed to load certificate', { error: reasonOf(error) });
      return;
    }
    log.info('Loaded provided certificate with success');
    listeners.tell(pair);
  };

  const stop = new AbortController();
  const watching = repeat({ clock, signal: stop.signal, milliseconds }, check);
  log.info('Started watching certificate files', { interval: goDuration(milliseconds) });
  return {
    current: () => pair,
    onChange: (listener) => listeners.add(listener),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await watching;
      log.info('Stopping file watcher');
    },
  };
}

const loadFault = (error: unknown): never => {
  throw wrapFault('failed to load certificate', error, 'failed-precondition');
};

async function modificationTimes({ certFilePath, keyFilePath }: Files): Promise<string> {
  const times = [certFilePath, keyFilePath].map(async (path) => {
    const { mtimeNs } = await stat(path, { bigint: true }).catch(fileFault('open', path));
    return String(mtimeNs);
  });
  return (await Promise.all(times)).join(' ');
}

/** Both files, once OpenSSL says that they belong together. */
async function load({ certFilePath, keyFilePath }: Files): Promise<Pair> {
  const cert = await readSmall(certFilePath);
  const key = await readSmall(keyFilePath);
  if (!cert.includes('-----BEGIN CERTIFICATE-----')) {
    throw new Fault('invalid', 'tls: failed to find any PEM data in certificate input');
  }
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    throw new Fault('invalid', `tls: ${reasonOf(error)}`, { cause: error });
  }
  return { cert, key };
}

const readSmall = async (path: string): Promise<Buffer> =>
  Buffer.from(await readFileBounded(path, MAX_FILE_BYTES).catch(fileFault('open', path)));

const fileFault =
  (operation: string, path: string) =>
  (error: unknown): never => {
    throw goFileError(operation, path, error);
  };

const goDuration = (milliseconds: number): string =>
  formatGoDuration(BigInt(Math.round(milliseconds * 1e6)));
