import { type ClientHttp2Session, connect, type SecureClientSessionOptions } from 'node:http2';
import { connectMtls, type MtlsClientOptions } from './mtls-client.ts';

/**
 * A session of `node:http2` over mTLS; resolves once the server is verified.
 *
 *     const session = await connectHttp2('https://db.internal:8443', { source, authorize });
 */
export async function connectHttp2(
  authority: string | URL,
  options: MtlsClientOptions & { readonly signal?: AbortSignal | undefined },
  sessionOptions: Omit<SecureClientSessionOptions, 'createConnection'> = {},
): Promise<ClientHttp2Session> {
  const { hostname, port } = new URL(authority);
  const socket = await connectMtls({
    ...options,
    host: hostname.replace(/^\[|\]$/g, ''),
    port: Number(port === '' ? 443 : port),
    protocols: ['h2'],
  });
  return connect(authority, { ...sessionOptions, createConnection: () => socket });
}
