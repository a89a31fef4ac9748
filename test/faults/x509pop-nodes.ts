import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writePem } from '../../src/crypto/pem.ts';
import { fingerprint } from '../../src/plugins/node-attestor/x509pop/proof.ts';
import { type Holder, leafOf, rootAuthority } from '../kit/certificates.ts';

/** Nodes that prove the possession of a certificate, and how both sides are told of them. */
export class X509popNodes {
  /** The plugin's block of the server. */
  readonly serverPlugin: string;
  /** What all these nodes have. */
  readonly selector: string;
  readonly #folder: string;
  readonly #root: Holder;

  private constructor(folder: string, root: Holder, rootPath: string) {
    this.#folder = folder;
    this.#root = root;
    this.serverPlugin = `NodeAttestor "x509pop" { plugin_data { ca_bundle_path = "${rootPath}" } }`;
    this.selector = `x509pop:ca:fingerprint:${fingerprint(root.certificate.der)}`;
  }

  static async create(folder: string): Promise<X509popNodes> {
    const root = await rootAuthority('nodes', lifetime());
    const path = await write(folder, 'nodes.pem', 'CERTIFICATE', root.certificate.der);
    return new X509popNodes(folder, root, path);
  }

  /** One more node. Resolves with the plugin's block of its agent. */
  async add(name: string): Promise<string> {
    const { certificate, key } = await leafOf(this.#root, '', { ...lifetime(), uris: [] });
    const path = await write(this.#folder, `${name}.pem`, 'CERTIFICATE', certificate.der);
    const keyPath = await write(this.#folder, `${name}.key`, 'PRIVATE KEY', key.toPkcs8());
    return `NodeAttestor "x509pop" {
      plugin_data { private_key_path = "${keyPath}" certificate_path = "${path}" }
    }`;
  }
}

async function write(folder: string, name: string, type: string, der: Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, writePem(type, der), { mode: 0o600 });
  return path;
}

function lifetime() {
  const now = Math.floor(Date.now() / 1000);
  return { notBefore: now - 3600, notAfter: now + 24 * 3600 };
}
