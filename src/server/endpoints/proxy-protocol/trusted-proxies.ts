import { BlockList, isIP, isIPv4 } from 'node:net';
import { Fault } from '../../../base/fault.ts';

/** The addresses whose PROXY protocol headers are believed. */
export interface TrustedProxies {
  /** IPv4 not written as IPv6. */
  has(address: string): boolean;
}

/** From `proxy_protocol_trusted_cidrs`. Throws 'invalid' in Go's words for what is no CIDR. */
export function trustedProxies(cidrs: readonly string[]): TrustedProxies {
  const list = new BlockList();
  for (const text of cidrs) {
    const { address, bits, family } = parseCidr(text);
    list.addSubnet(address, bits, family);
  }
  return { has: (address) => list.check(address, isIPv4(address) ? 'ipv4' : 'ipv6') };
}

export type Cidr = {
  readonly address: string;
  readonly bits: number;
  readonly family: 'ipv4' | 'ipv6';
};

/** The part of an IPv6 address under which all of IPv4 is. */
const MAPPED = { start: /^::ffff:(?=[\d.]+$)/i, bits: 96 };

/** `192.0.2.0/24` (RFC 4632, RFC 4291 §2.3). Throws 'invalid' in Go's words. */
export function parseCidr(text: string): Cidr {
  const [, address = '', digits = ''] = /^([^/%]*)\/(0|[1-9]\d{0,2})$/.exec(text) ?? [];
  const bits = Number(digits);
  const version = isIP(address);
  if (version === 0 || bits > (version === 4 ? 32 : 128)) {
    throw new Fault('invalid', `invalid CIDR address: ${text}`);
  }
  if (version === 4) return { address, bits, family: 'ipv4' };
  return MAPPED.start.test(address) && bits >= MAPPED.bits
    ? { address: address.replace(MAPPED.start, ''), bits: bits - MAPPED.bits, family: 'ipv4' }
    : { address, bits, family: 'ipv6' };
}
