import { isIPv4, isIPv6, SocketAddress } from 'node:net';
import { Fault } from '../../../base/fault.ts';

/** Where a connection comes from, as the proxy before us says. */
export type ClaimedSource = { readonly address: string; readonly port: number };

export type ProxyHeader = {
  /** Bytes of the header; what follows is the client's. */
  readonly length: number;
  /** undefined: the proxy speaks for itself, or does not know. */
  readonly source: ClaimedSource | undefined;
};

/** A header with all its additions; proxies send some hundred bytes at most. */
export const MAX_PROXY_HEADER_BYTES = 4096;

/**
 * Reads the header of the PROXY protocol (haproxy.org/download/3.0/doc/proxy-protocol.txt §2) that a connection may
 * begin with. 'incomplete': more bytes will tell; undefined: there is none. Throws 'invalid' for one that is wrong.
 */
export function readProxyHeader(bytes: Uint8Array): ProxyHeader | 'incomplete' | undefined {
  if (bytes.length === 0) return 'incomplete';
  if (startsAs(bytes, V2_SIGNATURE)) {
    return bytes.length < V2_FIXED_BYTES ? 'incomplete' : readBinary(Buffer.from(bytes));
  }
  if (startsAs(bytes, V1_START)) {
    return bytes.length < V1_START.length ? 'incomplete' : readText(bytes);
  }
  return undefined;
}

const V1_START = Buffer.from('PROXY ');
/** The longest line, its end included (§2.1). */
const V1_MAX_BYTES = 107;

const V2_SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n');
const V2_FIXED_BYTES = 16;

/** Whether these bytes are the start of those, or those of these. */
function startsAs(bytes: Uint8Array, start: Uint8Array): boolean {
  const length = Math.min(bytes.length, start.length);
  return Buffer.compare(bytes.subarray(0, length), start.subarray(0, length)) === 0;
}

/** `PROXY TCP4 192.0.2.1 198.51.100.1 4711 8081\r\n` (§2.1). */
function readText(bytes: Uint8Array): ProxyHeader | 'incomplete' {
  const line = Buffer.from(bytes.subarray(0, V1_MAX_BYTES)).toString('latin1');
  const end = line.indexOf('\r\n');
  if (end === -1) {
    if (bytes.length < V1_MAX_BYTES) return 'incomplete';
    throw wrong('its line does not end');
  }
  const length = end + 2;
  const [, family = '', ...fields] = line.slice(0, end).split(' ');
  if (family === 'UNKNOWN') return { length, source: undefined };
  const isAddress = families.get(family);
  if (isAddress === undefined || fields.length !== 4) throw wrong('malformed line');
  const [address = '', destination = '', port = '', destinationPort = ''] = fields;
  if (!isAddress(address) || !isAddress(destination)) throw wrong('malformed address');
  readPort(destinationPort);
  return { length, source: { address: canonical(address), port: readPort(port) } };
}

const families: ReadonlyMap<string, (text: string) => boolean> = new Map([
  ['TCP4', isIPv4],
  // A zone means nothing on another machine.
  ['TCP6', (text: string) => isIPv6(text) && !text.includes('%')],
]);

function readPort(text: string): number {
  const port = Number(text);
  if (!/^(?:0|[1-9]\d{0,4})$/.test(text) || port > 0xffff) throw wrong('malformed port');
  return port;
}

/** Signature, version and command, family and protocol, length, addresses, and additions that we pass over (§2.2). */
function readBinary(bytes: Buffer): ProxyHeader | 'incomplete' {
  const version = bytes.readUInt8(12) >> 4;
  const command = bytes.readUInt8(12) & 0xf;
  const length = V2_FIXED_BYTES + bytes.readUInt16BE(14);
  if (version !== 2) throw wrong(`version ${version}`);
  if (command > 1) throw wrong(`command ${command}`);
  if (length > MAX_PROXY_HEADER_BYTES) throw wrong('too long');
  const row = command === LOCAL ? { addressBytes: 0 } : transports[bytes.readUInt8(13)];
  if (row === undefined) throw wrong('not of a TCP connection');
  const { addressBytes } = row;
  if (length < V2_FIXED_BYTES + 2 * addressBytes + (addressBytes > 0 ? 4 : 0)) {
    throw wrong('too short for its addresses');
  }
  if (bytes.length < length) return 'incomplete';
  if (addressBytes === 0) return { length, source: undefined };
  const raw = bytes.subarray(V2_FIXED_BYTES, V2_FIXED_BYTES + addressBytes);
  const port = bytes.readUInt16BE(V2_FIXED_BYTES + 2 * addressBytes);
  return { length, source: { address: addressText(raw), port } };
}

const LOCAL = 0;

/** By the byte of family and protocol: TCP over IPv4 and over IPv6. */
const transports: Readonly<Record<number, { readonly addressBytes: number } | undefined>> = {
  0x11: { addressBytes: 4 },
  0x21: { addressBytes: 16 },
};

const addressText = (raw: Buffer): string =>
  raw.length === 4
    ? raw.join('.')
    : canonical(
        Array.from({ length: 8 }, (_, index) => raw.readUInt16BE(2 * index).toString(16)).join(':'),
      );

/** One text for one address, since limits are counted by it; IPv4 is never written as IPv6. */
function canonical(address: string): string {
  if (isIPv4(address)) return address;
  const text = new SocketAddress({ address, family: 'ipv6' }).address;
  return text.replace(/^::ffff:(?=[\d.]+$)/i, '');
}

const wrong = (reason: string): Fault => new Fault('invalid', `PROXY protocol header: ${reason}`);
