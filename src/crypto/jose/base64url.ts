import { Fault } from '../../base/fault.ts';

/** base64url without padding (RFC 7515 §2), of bytes or of a text's UTF-8. */
export const base64url = (content: Uint8Array | string): string =>
  (typeof content === 'string'
    ? Buffer.from(content, 'utf8')
    : Buffer.from(content.buffer, content.byteOffset, content.length)
  ).toString('base64url');

/** The bytes; only their one encoding is taken: no padding, no white space, no stray bits. */
export function readBase64url(text: string, what: string): Uint8Array {
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.toString('base64url') !== text) {
    throw new Fault('invalid', `${what} is not base64url`);
  }
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}
