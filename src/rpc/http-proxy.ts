import { BlockList, isIP, isIPv4 } from 'node:net';
import { Fault } from '../base/fault.ts';

/** An HTTP proxy that makes connections for others (RFC 9110 §9.3.6). */
export type HttpProxy = {
  readonly host: string;
  readonly port: number;
  /** The value of `Proxy-Authorization`; a secret. */
  readonly authorization: string | undefined;
};

export type ProxyVariables = Readonly<Record<string, string | undefined>>;

/**
 * The proxy that `HTTPS_PROXY` and `NO_PROXY`, or the same in small letters, name for `host:port`, by Go's rules
 * (golang.org/x/net/http/httpproxy); undefined: none. This machine is never reached through one. Throws 'invalid' for
 * a proxy that we cannot speak to.
 */
export function httpProxyFor(address: string, variables: ProxyVariables): HttpProxy | undefined {
  const proxy = variables['HTTPS_PROXY'] || variables['https_proxy'] || '';
  if (proxy === '' || address.startsWith('unix:')) return undefined;
  const { host, port } = splitAddress(address);
  if (isThisMachine(host)) return undefined;
  const exceptions = variables['NO_PROXY'] || variables['no_proxy'] || '';
  return isExcepted(host, port, exceptions) ? undefined : parseProxy(proxy);
}

const DEFAULT_PORT = 80;

/** A scheme may be left out. What is in it besides the host is a secret, so that failures do not show it. */
function parseProxy(text: string): HttpProxy {
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`);
  if (url === null || url.hostname === '') {
    throw new Fault('invalid', 'HTTPS_PROXY is not the URL of a proxy');
  }
  if (url.protocol !== 'http:') {
    throw new Fault(
      'invalid',
      `HTTPS_PROXY names a proxy that is not supported: ${url.protocol}//`,
    );
  }
  const { username, password } = url;
  const credentials = [username, password].map(decodeURIComponent).join(':');
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? DEFAULT_PORT : Number(url.port),
    authorization:
      username === '' && password === ''
        ? undefined
        : `Basic ${Buffer.from(credentials).toString('base64')}`,
  };
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

const isThisMachine = (host: string): boolean => host === 'localhost' || isWithin(loopback, host);

const isWithin = (list: BlockList, host: string): boolean =>
  isIP(host) !== 0 && list.check(host, isIPv4(host) ? 'ipv4' : 'ipv6');

/** `NO_PROXY`: `*`, or a list of networks, addresses and domains, each perhaps with a port. */
const isExcepted = (host: string, port: string, exceptions: string): boolean =>
  exceptions
    .split(',')
    .map((text) => text.trim().toLowerCase())
    .filter((text) => text !== '')
    .some((text) => text === '*' || matches(host.toLowerCase(), port, text));

function matches(host: string, port: string, exception: string): boolean {
  const [, network = '', bits = ''] = /^([^/]*)\/(\d{1,3})$/.exec(exception) ?? [];
  if (isIP(network) !== 0) return isWithin(networkOf(network, Number(bits)), host);
  const { host: name, port: onlyPort } = splitAddress(exception);
  if (onlyPort !== '' && onlyPort !== port) return false;
  if (isIP(name) !== 0) return isWithin(networkOf(name, isIPv4(name) ? 32 : 128), host);
  if (isIP(host) !== 0) return false;
  const domain = name.replace(/^\*\./, '.');
  return domain.startsWith('.')
    ? host.endsWith(domain)
    : host === domain || host.endsWith(`.${domain}`);
}

/** What is no network has nothing in it. */
function networkOf(address: string, bits: number): BlockList {
  const list = new BlockList();
  const family = isIPv4(address) ? 'ipv4' : 'ipv6';
  if (bits <= (family === 'ipv4' ? 32 : 128)) list.addSubnet(address, bits, family);
  return list;
}

/** `host:port`, an IPv6 address in brackets; the port may be left out. */
function splitAddress(text: string): { readonly host: string; readonly port: string } {
  if (isIP(text) !== 0) return { host: text, port: '' };
  const [, host = text, port = ''] = /^(.*?)(?::(\d*))?$/.exec(text) ?? [];
  return { host: host.replace(/^\[|\]$/g, ''), port };
}
