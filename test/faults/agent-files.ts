import assert from 'node:assert/strict';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAgentData } from '../../src/agent/storage/agent-data-format.ts';
import { type Certificate, parseCertificate } from '../../src/crypto/x509/certificate.ts';
import { readKeysFile } from '../../src/plugins/key-manager/disk/keys-file.ts';

/** What a dead agent left: whole files, and no SVID without its key. Resolves with its SVID's leaf, if it has one. */
export async function checkAgentFiles(directory: string): Promise<Certificate | undefined> {
  const keys = await readKeysFile(join(directory, 'keys.json'));
  const leaf = await storedLeaf(directory);
  if (leaf === undefined) return undefined;
  const key = keys.find(({ publicKey }) => Buffer.compare(publicKey.spki, leaf.spki) === 0);
  assert.ok(key, "the SVID's key is in keys.json");
  return leaf;
}

/** Undefined if there is no such file, or no SVID in it. Throws if it is not whole. */
export async function storedLeaf(directory: string): Promise<Certificate | undefined> {
  const path = join(directory, 'agent-data.json');
  const there = await stat(path).catch(() => undefined);
  if (there === undefined) return undefined;
  const { svid, bundle } = parseAgentData(await readFile(path, 'utf8'));
  const [der] = svid;
  if (der === undefined) return undefined;
  assert.ok(bundle.length > 0, 'there is a bundle with the SVID');
  return parseCertificate(der);
}
