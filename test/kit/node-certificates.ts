import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writePem } from '../../src/crypto/pem.ts';
import { type Holder, leafOf, rootAuthority } from './certificates.ts';

/** An authority for nodes, whose certificate the attestor `x509pop` takes. */
export class NodeAuthority {
  readonly #folder: string;
  readonly #name: string;
  readonly #holder: Holder;

  private constructor(folder: string, name: string, holder: Holder) {
    this.#folder = folder;
    this.#name = name;
    this.#holder = holder;
  }

  /** Its certificate is put into the folder. */
  static async create(folder: string, name = 'node-ca'): Promise<NodeAuthority> {
    const holder = await rootAuthority(name, { ...validNow(), keyUsage: [] });
    const authority = new NodeAuthority(folder, name, holder);
    await writeFile(authority.#caFile, writePem('CERTIFICATE', holder.certificate.der));
    return authority;
  }

  /** For the server's configuration. */
  get serverAttestor(): string {
    return `NodeAttestor "x509pop" { plugin_data { ca_bundle_path = "${this.#caFile}" } }`;
  }

  /** A node's certificate and key, as files; a URI SAN gives the agent a selector. */
  async issue(node: string, uri?: string): Promise<NodeCertificate> {
    const { certificate, key } = await leafOf(this.#holder, '', {
      ...validNow(),
      uris: uri === undefined ? [] : [uri],
      keyUsage: ['digitalSignature'],
      extendedKeyUsage: [],
    });
    const files = { certificate: join(this.#folder, `${node}.pem`), key: `${node}.key` };
    const keyFile = join(this.#folder, files.key);
    await writeFile(files.certificate, writePem('CERTIFICATE', certificate.der));
    await writeFile(keyFile, writePem('PRIVATE KEY', key.toPkcs8()), { mode: 0o600 });
    const fingerprint = createHash('sha1').update(certificate.der).digest('hex');
    return {
      path: `/spire/agent/x509pop/${fingerprint}`,
      attestor: `NodeAttestor "x509pop" { plugin_data {
        private_key_path = "${keyFile}" certificate_path = "${files.certificate}"
      } }`,
    };
  }

  get #caFile(): string {
    return join(this.#folder, `${this.#name}.pem`);
  }
}

export type NodeCertificate = {
  /** Of the agent's ID. */
  readonly path: string;
  /** For the agent's configuration. */
  readonly attestor: string;
};

function validNow() {
  const now = Math.floor(Date.now() / 1000);
  return { notBefore: now - 60, notAfter: now + 3600 };
}
