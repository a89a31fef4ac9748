import { Fault } from './fault.ts';
import { goQuote } from './go-quote.ts';

/** The parts of a URL as Go's `net/url` sees them. */
export type GoUrl = {
  /** Lower case; empty if there is none. */
  readonly scheme: string;
  readonly hasUserInfo: boolean;
  /** With the port, as written; empty if there is none. */
  readonly host: string;
  /** The URL as Go prints it: scheme in lower case, what may not stand in a path escaped. */
  readonly text: string;
};

/** Reads a URL as Go does, which takes much that a browser refuses. Throws 'invalid' with Go's words. */
export function parseGoUrl(text: string): GoUrl {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof UrlProblem)) throw error;
    throw new Fault('invalid', `parse ${goQuote(text)}: ${error.message}`);
  }
}

class UrlProblem extends Error {}

function parse(text: string): GoUrl {
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\0-\x1f\x7f]/.test(text)) throw new UrlProblem('net/url: invalid control character in URL');
  if (text.startsWith(':')) throw new UrlProblem('missing protocol scheme');
  const [beforeFragment, fragment] = cut(text, '#');
  const [, schemeText = '', afterScheme = ''] =
    /^(?:([A-Za-z][A-Za-z0-9+.-]*):)?(.*)$/s.exec(beforeFragment) ?? [];
  const scheme = schemeText.toLowerCase();
  const [location, query] = cut(afterScheme, '?');
  const { authority, path } = splitLocation(scheme, location);
  const { hasUserInfo, host } = readAuthority(authority ?? '');
  return { scheme, hasUserInfo, host, text: written({ scheme, authority, path, query, fragment }) };
}

type Parts = {
  readonly scheme: string;
  /** undefined: no `//`. */
  readonly authority: string | undefined;
  readonly path: string;
  readonly query: string | undefined;
  readonly fragment: string | undefined;
};

const written = ({ scheme, authority, path, query, fragment }: Parts): string =>
  [
    scheme === '' ? '' : `${scheme}:`,
    authority === undefined ? '' : `//${asciiHost(authority)}`,
    escaped(path, PATH_KEPT),
    query === undefined ? '' : `?${query}`,
    fragment === undefined ? '' : `#${escaped(fragment, FRAGMENT_KEPT)}`,
  ].join('');

function cut(text: string, separator: string): [before: string, after: string | undefined] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

function splitLocation(
  scheme: string,
  location: string,
): { authority: string | undefined; path: string } {
  const isAuthority = location.startsWith('//') && (scheme !== '' || !location.startsWith('///'));
  if (isAuthority) {
    const slash = location.indexOf('/', 2);
    const end = slash === -1 ? location.length : slash;
    return { authority: location.slice(2, end), path: location.slice(end) };
  }
  const [first = ''] = location.split('/', 1);
  if (scheme === '' && first.includes(':')) {
    throw new UrlProblem('first path segment in URL cannot contain colon');
  }
  return { authority: undefined, path: location };
}

function readAuthority(authority: string): { hasUserInfo: boolean; host: string } {
  const at = authority.lastIndexOf('@');
  const host = authority.slice(at + 1);
  checkHost(host);
  const userInfo = authority.slice(0, Math.max(at, 0));
  if (/[^A-Za-z0-9\-._:~!$&'()*+,;=%@]/.test(userInfo)) {
    throw new UrlProblem('net/url: invalid userinfo');
  }
  return { hasUserInfo: at !== -1, host };
}

function checkHost(host: string): void {
  const bracket = host.startsWith('[') ? host.lastIndexOf(']') : -1;
  if (host.startsWith('[') && bracket === -1) throw new UrlProblem("missing ']' in host");
  const afterName = bracket === -1 ? host : host.slice(bracket + 1);
  const colon = bracket === -1 ? afterName.lastIndexOf(':') : 0;
  const port = colon === -1 ? '' : afterName.slice(colon);
  if (port !== '' && !/^:\d*$/.test(port)) {
    throw new UrlProblem(`invalid port ${goQuote(port)} after host`);
  }
  const name = bracket === -1 ? host : host.slice(0, bracket + 1);
  const zone = bracket === -1 ? -1 : name.indexOf('%25');
  checkEscapes(zone === -1 ? name : name.slice(0, zone), (pair) => /^[89a-f]/i.test(pair));
  const strange = /[^A-Za-z0-9\-_.~!$&'()*+,;=:[\]<>"%\u0080-\uffff]/.exec(name)?.[0];
  if (strange !== undefined) {
    throw new UrlProblem(`invalid character ${goQuote(strange)} in host name`);
  }
}

function checkEscapes(text: string, allowed: (pair: string) => boolean = () => true): void {
  for (let at = text.indexOf('%'); at !== -1; at = text.indexOf('%', at + 1)) {
    const escape = text.slice(at, at + 3);
    const pair = escape.slice(1);
    if (!/^[0-9a-fA-F]{2}$/.test(pair) || !allowed(pair)) {
      throw new UrlProblem(`invalid URL escape ${goQuote(escape)}`);
    }
  }
}

/** What stands in a path, or in a fragment, as it is: a text with anything else is escaped anew, all of it. */
const PATH_KEPT = /[^A-Za-z0-9\-_.~$&+,/:;=@]/gu;
const FRAGMENT_KEPT = /[^A-Za-z0-9\-_.~$&+,/:;=@!()*?]/gu;
const WELL_WRITTEN = /^[A-Za-z0-9\-_.~!$&'()*+,;=:@[\]%/]*$/;

/** Go prints the bytes of a host that is not ASCII. */
const asciiHost = (authority: string): string =>
  authority.replace(/[\u0080-\u{10ffff}]/gu, (character) =>
    [...Buffer.from(character)].map((byte) => `%${hex(String.fromCharCode(byte))}`).join(''),
  );

function escaped(text: string, kept: RegExp): string {
  checkEscapes(text);
  if (WELL_WRITTEN.test(text)) return text;
  const plain = text.replace(
    /%([0-9a-fA-F]{2})|[\u0080-\u{10ffff}]/gu,
    (match, pair: string | undefined) =>
      pair === undefined ? Buffer.from(match).toString('latin1') : byte(pair),
  );
  return plain.replace(kept, (character) => `%${hex(character)}`);
}

const byte = (pair: string): string => String.fromCharCode(Number.parseInt(pair, 16));
const hex = (character: string): string =>
  character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0');
