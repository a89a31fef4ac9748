import { Fault } from '../base/fault.ts';

export type PemBlock = { readonly type: string; readonly der: Uint8Array };

/** The largest bundle that we know of has 150 roots: 300 kB. */
const MAX_PEM_BYTES = 16 * 1024 * 1024;

const BEGIN = '-----BEGIN ';
const END = '-----END ';
const DASHES = '-----';
const LINE_LENGTH = 64;

/**
 * All blocks of a PEM text (RFC 7468); text around them is skipped. Throws 'invalid' for a block that is begun and is
 * not well formed, where Go would skip it: a bundle must not lose a root in silence.
 */
export function readPem(pem: string | Uint8Array): PemBlock[] {
  if (pem.length > MAX_PEM_BYTES) throw new Fault('invalid', 'PEM text too large');
  const text = typeof pem === 'string' ? pem : Buffer.from(pem).toString('latin1');
  const blocks: PemBlock[] = [];
  for (let at = nextLine(text, BEGIN, 0); at !== -1; ) {
    const { block, next } = readBlock(text, at, blocks.length + 1);
    blocks.push(block);
    at = nextLine(text, BEGIN, next);
  }
  return blocks;
}

/** One block, in lines of 64 characters, with a line feed at the end, as Go and OpenSSL write it. */
export function writePem(type: string, der: Uint8Array): string {
  const base64 = Buffer.from(der).toString('base64');
  const lines: string[] = [];
  for (let at = 0; at < base64.length; at += LINE_LENGTH) {
    lines.push(`${base64.slice(at, at + LINE_LENGTH)}\n`);
  }
  return `${BEGIN}${type}${DASHES}\n${lines.join('')}${END}${type}${DASHES}\n`;
}

function readBlock(text: string, start: number, number: number) {
  const malformed = (what: string) =>
    new Fault('invalid', `malformed PEM block ${number}: ${what}`);
  const { line, next: body } = lineAt(text, start);
  const type = line.slice(BEGIN.length, -DASHES.length);
  if (!line.endsWith(DASHES) || !/^[ -~]{1,64}$/.test(type) || type.includes(DASHES)) {
    throw malformed('the line that begins it');
  }
  const end = nextLine(text, DASHES, body);
  const closing = end === -1 ? undefined : lineAt(text, end);
  if (closing?.line !== `${END}${type}${DASHES}`) throw malformed(`it does not end as "${type}"`);
  const der = readBase64(withoutHeaders(text.slice(body, end)));
  if (der === undefined) throw malformed('its content is not base64, or is encrypted');
  return { block: { type, der }, next: closing.next };
}

/** Where the next line starts that starts so, or -1. */
function nextLine(text: string, prefix: string, from: number): number {
  for (let at = text.indexOf(prefix, from); at !== -1; at = text.indexOf(prefix, at + 1)) {
    if (at === 0 || text[at - 1] === '\n') return at;
  }
  return -1;
}

function lineAt(text: string, start: number): { line: string; next: number } {
  const feed = text.indexOf('\n', start);
  const end = feed === -1 ? text.length : feed;
  return { line: text.slice(start, end).trimEnd(), next: feed === -1 ? end : feed + 1 };
}

/** RFC 1421 headers end at an empty line. Those of an encrypted key stay, so that it is refused. */
function withoutHeaders(body: string): string {
  const empty = body.search(/\n\r?\n/);
  const headers = empty === -1 ? '' : body.slice(0, empty);
  return headers.includes(':') && !headers.includes('ENCRYPTED') ? body.slice(empty) : body;
}

function readBase64(body: string): Uint8Array | undefined {
  const base64 = body.replaceAll(/[\n\r\t ]/g, '');
  if (base64.length === 0 || base64.length % 4 !== 0) return undefined;
  const bytes = Buffer.from(base64, 'base64');
  return bytes.toString('base64') === base64 ? new Uint8Array(bytes) : undefined;
}
