import { Fault, reasonOf } from '../../../base/fault.ts';
import { readFileBounded, writeFileAtomically } from '../../../base/files.ts';
import { goFileError } from '../../../base/go-file-error.ts';
import { keyTypeOf, type PrivateKey, readPrivateKey } from '../../../crypto/keys.ts';
import { type RingKey, ringKey } from '../key-ring.ts';

/** A file of SPIRE's holds six keys; RSA-4096 ones take 3.2 kB each. */
const MAX_FILE_BYTES = 1024 * 1024;
const FILE_MODE = 0o600;

/**
 * The keys in a `keys.json`; none if there is no such file. Throws 'internal' with SPIRE's words for what is no such
 * file (`reference/key-managers.md` §4).
 */
export const readKeysFile = async (path: string): Promise<readonly RingKey[]> =>
  keysIn(await readContent(path), path);

/** The same, of what was read from there. */
export const keysIn = (content: Uint8Array | undefined, path: string): readonly RingKey[] =>
  content === undefined ? [] : parseKeys(content, path);

/** Replaces the file, so that a crash leaves the old keys or the new. One that failed may have replaced it, too. */
export async function writeContent(path: string, content: Uint8Array): Promise<void> {
  try {
    await writeFileAtomically(path, content, { mode: FILE_MODE });
  } catch (error) {
    throw new Fault(
      'internal',
      `unable to write entries: ${goFileError('open', path, error).message}`,
      { cause: error },
    );
  }
}

/** Indented by one tab, members in the order of the keys, no newline at the end: as SPIRE writes it. */
export function keysJson(keys: readonly Pick<RingKey, 'id' | 'toPkcs8'>[]): string {
  if (keys.length === 0) return '{\n\t"keys": {}\n}';
  const members = keys.map((key) => {
    const base64 = Buffer.from(key.toPkcs8()).toString('base64');
    return `\t\t${JSON.stringify(key.id)}: "${base64}"`;
  });
  return `{\n\t"keys": {\n${members.join(',\n')}\n\t}\n}`;
}

/** undefined: there is no such file. */
export async function readContent(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFileBounded(path, MAX_FILE_BYTES);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw goFileError('open', path, error);
  }
}

function parseKeys(content: Uint8Array, path: string): readonly RingKey[] {
  const entries = decode(content, path);
  return entries.map(([id, der]) => {
    const key = parseKey(id, der);
    const keyType = keyTypeOf(key.publicKey);
    if (keyType === undefined) throw unsupported(id, key);
    return ringKey(id, keyType, key);
  });
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

function decode(content: Uint8Array, path: string): (readonly [id: string, der: Uint8Array])[] {
  const refuse = (why: string, cause?: unknown) =>
    new Fault(
      'internal',
      `unable to decode keys JSON: ${path}: ${why} (nothing was changed; restore the file from a backup, or move it away to start with new keys)`,
      { cause },
    );
  const document = parseJson(content, (error) => refuse(reasonOf(error), error));
  const keys = isRecord(document) ? (document['keys'] ?? {}) : undefined;
  if (!isRecord(keys)) throw refuse('not an object with the member "keys"');
  return Object.entries(keys).map(([id, value]) => {
    if (typeof value !== 'string' || !BASE64.test(value)) {
      throw refuse(`key "${id}" is not a base64 string`);
    }
    return [id, Buffer.from(value, 'base64')];
  });
}

function parseJson(content: Uint8Array, refuse: (error: unknown) => Fault): unknown {
  try {
    return JSON.parse(Buffer.from(content).toString('utf8'));
  } catch (error) {
    throw refuse(error);
  }
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function parseKey(id: string, der: Uint8Array): PrivateKey {
  try {
    return readPrivateKey(der);
  } catch (error) {
    throw new Fault('internal', `unable to parse key "${id}": ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

function unsupported(id: string, { publicKey: { kind, bits } }: PrivateKey): Fault {
  const why =
    kind === 'rsa'
      ? `no RSA key type for key bit length: ${bits}`
      : `no EC key type for EC curve: P-${bits}`;
  return new Fault(
    'internal',
    `unable to make entry "${id}": unable to make key entry for key "${id}": ${why}`,
  );
}
