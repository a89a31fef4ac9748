import { isIP } from 'node:net';
import { Fault } from '../base/fault.ts';

/** An absolute URI, taken apart (RFC 3986 §3). */
type Uri = {
  readonly scheme: string;
  /** What follows the scheme where no `//` or `/` does. */
  readonly opaque: string;
  readonly userInfo: string | undefined;
  readonly host: string;
  readonly path: string;
  readonly query: string | undefined;
  readonly fragment: string | undefined;
};

type Rule = readonly [broken: (uri: Uri) => boolean, text: string];

const queryRule: Rule = [
  ({ query }) => query !== undefined && query !== '',
  'must not include query values',
];
const fragmentRule: Rule = [
  ({ fragment }) => fragment !== undefined && fragment !== '',
  'must not include a fragment',
];
const opaqueRule: Rule = [({ opaque }) => opaque !== '', 'must not be opaque'];
const userRule: Rule = [({ userInfo }) => userInfo !== undefined, 'must not include user info'];

/** In the reference client's order (Workload Endpoint §4; E-6 to E-8). */
const rules: Readonly<Record<string, readonly Rule[]>> = {
  unix: [
    opaqueRule,
    userRule,
    [({ host, path }) => host === '' && path === '', 'must include a path'],
    queryRule,
    fragmentRule,
    [
      ({ host, path }) => host !== '' || !path.startsWith('/'),
      'must have an absolute path and no authority',
    ],
  ],
  tcp: [
    opaqueRule,
    userRule,
    [({ host }) => host === '', 'must include a host'],
    [({ path }) => path !== '', 'must not include a path'],
    queryRule,
    fragmentRule,
    [({ host }) => isIP(hostName(host)) === 0, 'host component must be an IP:port'],
    [({ host }) => port(host) === '', 'host component must include a port'],
  ],
};

/** The address of a Workload API to dial, of a URI as in SPIFFE_ENDPOINT_SOCKET. Throws 'invalid'. */
export function parseEndpoint(text: string): string {
  const uri = parseUri(text);
  const rulesOfScheme = Object.hasOwn(rules, uri.scheme) ? rules[uri.scheme] : undefined;
  if (rulesOfScheme === undefined) {
    throw refusal('socket URI must have a "tcp" or "unix" scheme');
  }
  const [, broken] = rulesOfScheme.find(([isBroken]) => isBroken(uri)) ?? [];
  if (broken !== undefined) throw refusal(`${uri.scheme} socket URI ${broken}`);
  return uri.scheme === 'unix' ? `unix:${uri.path}` : uri.host;
}

const CONTROL = /\p{Cc}/u;

function parseUri(text: string): Uri {
  if (CONTROL.test(text)) {
    throw refusal(
      `socket is not a valid URI: parse ${JSON.stringify(text)}: net/url: invalid control character in URL`,
    );
  }
  const [, scheme = '', rest = ''] = /^([A-Za-z][A-Za-z0-9+.-]*):(.*)$/s.exec(text) ?? [];
  const [, before = '', query, fragment] = /^([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/s.exec(rest) ?? [];
  const hierarchical = /^\/\/(?:([^/]*)@)?([^/]*)(.*)$/s.exec(before);
  const [, userInfo, host = '', path = before.startsWith('/') ? before : ''] = hierarchical ?? [];
  const opaque = before.startsWith('/') ? '' : before;
  return { scheme: scheme.toLowerCase(), opaque, userInfo, host, path, query, fragment };
}

const hostName = (host: string): string =>
  host.startsWith('[') ? host.slice(1, host.indexOf(']')) : (host.split(':')[0] ?? '');
const port = (host: string): string => /:(\d+)$/.exec(host.replace(/^\[.*\]/, ''))?.[1] ?? '';

const refusal = (what: string): Fault => new Fault('invalid', `workload endpoint ${what}`);
