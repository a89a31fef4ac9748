import { resolve } from 'node:path';
import { Fault } from '../../base/fault.ts';
import { goQuote } from '../../base/go-quote.ts';
import type { DialOptions } from '../../rpc/dial.ts';
import type { Env } from './env.ts';

/** How clients of one socket find it (`reference/cli.md` §§3.1–3.3). */
export type SocketRules = {
  readonly defaultPath: string;
  readonly templateVariable: string;
  readonly pathVariable: string;
  readonly templateUnset: string;
  /** Agents' clients take a relative path from the working directory and tell the whole path. */
  readonly absolute: boolean;
};

export const serverSocket: SocketRules = {
  defaultPath: '/tmp/spire-server/private/api.sock',
  templateVariable: 'SPIRE_SERVER_PRIVATE_SOCKET_TEMPLATE',
  pathVariable: 'SPIRE_SERVER_PRIVATE_SOCKET',
  templateUnset: 'you must define SPIRE_SERVER_PRIVATE_SOCKET_TEMPLATE to use the instance flag',
  absolute: false,
};

export const workloadSocket: SocketRules = {
  defaultPath: '/tmp/spire-agent/public/api.sock',
  templateVariable: 'SPIRE_AGENT_PUBLIC_SOCKET_TEMPLATE',
  pathVariable: 'SPIRE_AGENT_PUBLIC_SOCKET',
  // The leading space is SPIRE's.
  templateUnset:
    ' SPIRE_AGENT_PUBLIC_SOCKET_TEMPLATE environment variable must be defined when using the instance flag',
  absolute: true,
};

/** No variable names it, and an empty path means the default. */
export const adminSocket = { defaultPath: '/tmp/spire-agent/private/admin.sock', absolute: false };

export type SocketFlags = { readonly socketPath: string; readonly instance: string };

/** The path that the flags and the environment name. Throws 'invalid'. */
export function socketPath(
  rules: SocketRules,
  { socketPath, instance }: SocketFlags,
  { variables }: Pick<Env, 'variables'>,
): string {
  const fromTemplate = instance === '' ? undefined : fillTemplate(rules, instance, variables);
  if (socketPath !== rules.defaultPath) return socketPath;
  return fromTemplate ?? (variables[rules.pathVariable] || rules.defaultPath);
}

function fillTemplate(rules: SocketRules, instance: string, variables: Env['variables']): string {
  const template = variables[rules.templateVariable];
  if (template === undefined) throw new Fault('invalid', rules.templateUnset);
  if (!template.includes('%i')) {
    throw new Fault('invalid', `failed to find %i in ${rules.templateVariable}`);
  }
  return template.split('%i').join(instance);
}

/**
 * How to dial a path. SPIRE makes a URL of it, so an escape such as `%20` is decoded and a query dropped; server
 * commands tell an absolute path with two slashes more.
 */
export function socketAddress(
  rules: Pick<SocketRules, 'absolute'>,
  path: string,
  { cwd }: Pick<Env, 'cwd'>,
): DialOptions {
  const given = rules.absolute ? resolve(cwd, path) : path;
  const wrong = /%(?![0-9A-Fa-f]{2}).{0,2}/s.exec(given)?.[0];
  if (wrong !== undefined) {
    throw new Fault(
      'invalid',
      `parse ${goQuote(`dns:///unix:${given}`)}: invalid URL escape ${goQuote(wrong)}`,
    );
  }
  const [beforeQuery = ''] = given.split('?');
  const decoded = Buffer.from(unescapeBytes(beforeQuery), 'latin1').toString();
  const shown = rules.absolute || !decoded.startsWith('/') ? decoded : `//${decoded}`;
  return { address: `unix:${decoded}`, shownAddress: `unix:${shown}` };
}

/** The bytes of a text whose escapes stand for bytes, as Latin-1. */
const unescapeBytes = (text: string): string =>
  Buffer.from(text)
    .toString('latin1')
    .replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );
